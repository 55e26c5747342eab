import { renderShow } from '../../src/drbdsetup/show-text';
import { renderShowJson } from '../../src/drbdsetup/show-json';
import { sortedForDisplay } from '../../src/drbdsetup/display-order';
import { renderStatus } from '../../src/drbdsetup/status-text';
import { renderStatusJson } from '../../src/drbdsetup/status-json';
import { fixture, goldenSnapshots, stateOutputs, type GoldenRun, type GoldenState } from './golden-state';

const nothing = '# No currently configured DRBD found.\n';

function render(
  state: GoldenState,
  argv: readonly string[],
  dialect: 'current' | '9.22',
): string | undefined {
  const resources = sortedForDisplay(goldenSnapshots(state));
  const [command, ...args] = argv;
  const has = (...names: string[]): boolean => args.some((arg) => names.includes(arg));
  if (args.some((arg) => !arg.startsWith('-') && arg !== 'all') || has('--color=bogus')) return undefined;
  if (command === 'show') {
    const settings = { showDefaults: has('--show-defaults'), dialect };
    if (has('--json')) return renderShowJson(resources, settings);
    return resources.length === 0 ? nothing : renderShow(resources, settings);
  }
  if (command !== 'status') return undefined;
  if (has('--json')) return renderStatusJson(resources, { dialect, paths: !state.nopaths });
  return resources.length === 0
    ? nothing
    : renderStatus(resources, {
        verbose: has('-vvs') ? 2 : has('--verbose', '-sv', '-v') ? 1 : 0,
        statistics: has('--statistics', '-sv', '-vvs'),
        colors: has('--color=always', '--color'),
        terminal: false,
        columns: 80,
        dialect,
      });
}

function compare(
  scenarios: Readonly<Record<string, { readonly runs: readonly GoldenRun[] }>>,
  dialect: 'current' | '9.22',
): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [name, { runs }] of Object.entries(scenarios)) {
    const state = stateOutputs.scenarios[name]?.state ?? { resources: [] };
    for (const run of runs) {
      const ours = render(state, run.argv, dialect);
      if (ours === undefined) continue;
      expect([name, run.argv, ours]).toEqual([name, run.argv, run.stdout]);
      counts[run.argv[0] ?? ''] = (counts[run.argv[0] ?? ''] ?? 0) + 1;
    }
  }
  return counts;
}

describe('outputs of the real drbdsetup', () => {
  it('9.34 are ours, byte for byte', () => {
    const { status = 0, show = 0 } = compare(stateOutputs.scenarios, 'current');
    process.stderr.write(`compared ${status} status and ${show} show outputs with 9.34\n`);
    expect(status).toBeGreaterThanOrEqual(70);
    expect(show).toBeGreaterThanOrEqual(24);
  });

  it('9.22 are ours in its dialect', () => {
    const { scenarios } = JSON.parse(fixture('state-outputs-9.22.json'));
    const { status = 0, show = 0 } = compare(scenarios, '9.22');
    process.stderr.write(`compared ${status} status and ${show} show outputs with 9.22\n`);
    expect(status).toBeGreaterThanOrEqual(20);
    expect(show).toBeGreaterThanOrEqual(16);
  });
});
