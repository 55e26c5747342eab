// The commands `status` and `show`.
import { sortedForDisplay } from './display-order';
import { dumpState, timesGiven, type Command, type Invocation } from './invocation';
import { CommandExit } from './io';
import { renderShow } from './show-text';
import { renderShowJson } from './show-json';
import { renderStatus } from './status-text';
import { renderStatusJson } from './status-json';

const NOTHING = '# No currently configured DRBD found.\n';

/** Whether --color asks for colours; throws CommandExit for an unknown word. */
export function wantsColors(invocation: Invocation): boolean {
  const isTerminal = invocation.io.terminalColumns !== undefined;
  let colors = isTerminal;
  for (const { name, value } of invocation.options.plain) {
    if (name !== 'color') continue;
    if (value === undefined || value === 'always') colors = true;
    else if (value === 'never') colors = false;
    else if (value === 'auto') colors = isTerminal;
    else throw new CommandExit(20, '', `${invocation.usage()}\nunknown --color argument\n`);
  }
  return colors;
}

/** A signal in the middle of the output must not leave the terminal coloured (drbdsetup.md 6.2). */
export const status: Command = async (invocation) => {
  const { io } = invocation;
  const end = io.beforeSignals?.(() => io.stdout('\u001b[0m'));
  try {
    return await showStatus(invocation);
  } finally {
    end?.();
  }
};

async function showStatus(invocation: Invocation): Promise<number> {
  const { io, context, dialect } = invocation;
  const colors = wantsColors(invocation);
  const resources = sortedForDisplay(await dumpState(invocation, context.resource));
  if (timesGiven(invocation, 'json') > 0) io.stdout(renderStatusJson(resources, { dialect, paths: true }));
  else if (resources.length === 0 && context.resource === undefined) io.stdout(NOTHING);
  else {
    io.stdout(
      renderStatus(resources, {
        verbose: timesGiven(invocation, 'verbose'),
        statistics: timesGiven(invocation, 'statistics') > 0,
        colors,
        terminal: io.terminalColumns !== undefined,
        columns: invocation.columns,
        dialect,
      }),
    );
  }
  if (resources.length > 0 || context.resource === undefined) return 0;
  io.stderr(`${context.resource}: No such resource\n`);
  return 10;
}

export const show: Command = async (invocation) => {
  const { io, context, dialect } = invocation;
  const resources = sortedForDisplay(await dumpState(invocation, context.resource));
  const settings = { showDefaults: timesGiven(invocation, 'show-defaults') > 0, dialect };
  if (timesGiven(invocation, 'json') > 0) io.stdout(renderShowJson(resources, settings));
  else if (resources.length === 0 && context.resource === undefined) io.stdout(NOTHING);
  else io.stdout(renderShow(resources, settings));
  return 0;
};
