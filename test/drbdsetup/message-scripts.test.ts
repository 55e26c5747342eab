import fs from 'node:fs';
import path from 'node:path';
import { runInstrumented } from './instrumented';

const name = 'name:some-resource';
const link = `${name} peer-node-id:1 conn-name:some-peer`;
const created = [
  'exists -',
  `create resource ${name} role:Secondary suspended:no force-io-failures:no may_promote:no promotion_score:0`,
];
const device = (volume: number): string =>
  `create device ${name} volume:${volume} minor:${1000 + volume} backing_dev:none disk:Diskless client:no open:no quorum:yes`;
const connection = `create connection ${link} connection:StandAlone role:Unknown`;

describe('message scripts', () => {
  it.each([
    ['nothing', 'initial_state_done', ['exists -']],
    [
      'changes that come before the dump is complete',
      'resource_change_role\nresource_exists\ninitial_state_done',
      [
        `exists resource ${name} role:Secondary suspended:no force-io-failures:no may_promote:no promotion_score:0`,
        'exists -',
        `change resource ${name} role:Primary`,
      ],
    ],
    [
      'an object that is created and in the dump',
      'resource_create\nresource_exists\ninitial_state_done',
      [
        `exists resource ${name} role:Secondary suspended:no force-io-failures:no may_promote:no promotion_score:0`,
        'exists -',
      ],
    ],
    ['an unknown resource that goes away', 'resource_destroy\ninitial_state_done', ['exists -']],
    [
      'messages out of order',
      [
        'initial_state_done',
        'resource_create msg_seq 56',
        'device_create diskless 1 minor 1001 volume_number 1 msg_seq 58',
        'device_create diskless 1 msg_seq 57',
        'connection_create msg_seq 59',
      ].join('\n'),
      [...created, device(0), device(1), connection],
    ],
    [
      'first messages out of order',
      [
        'initial_state_done',
        'resource_create msg_seq 99',
        'device_create diskless 1 minor 1001 volume_number 1 msg_seq 100',
        'device_create diskless 1 msg_seq 98',
        'connection_create msg_seq 101',
      ].join('\n'),
      [...created, device(1), device(0), connection],
    ],
  ])('%s', async (_what, script, lines) => {
    expect((await runInstrumented(['events2'], script)).split('\n').slice(0, -1)).toEqual(lines);
  });
});

/** One `$ command` of a clitest file with the lines it must print. */
interface ScriptCase {
  readonly file: string;
  readonly command: string;
  readonly expected: string;
}

function casesOf(folder: string): readonly ScriptCase[] {
  const files = fs.readdirSync(folder).filter((file) => /^(events2|show)-.*\.test$/.test(file));
  return files.flatMap((file) => {
    const blocks = fs.readFileSync(path.join(folder, file), 'utf8').split(/^\$ /m).slice(1);
    return blocks.map((block) => {
      const end = block.indexOf('\n');
      return { file, command: block.slice(0, end), expected: block.slice(end + 1).trim() };
    });
  });
}

async function outputOf(folder: string, { command }: ScriptCase): Promise<string> {
  const pattern = /(?:cat (\S+)|echo (\S+)) \| drbdsetup_(events2_)?instrumented([^|;)]*)/;
  const [, input, message = '', only, given = ''] = pattern.exec(command) ?? [];
  // Releases before 9.26 have a harness for events2 alone.
  const argv = (only === undefined ? given : `events2 ${given}`).trim();
  const dialect = only === undefined ? undefined : '9.22';
  const script = input === undefined ? message : fs.readFileSync(path.join(folder, input), 'utf8');
  const stdout = await runInstrumented(argv.split(/\s+/), script, dialect);
  if (argv.startsWith('show')) return `0\n${stdout}`.trim();
  const shown = command.includes('cat -v') ? stdout.replaceAll('\u001b', '^[') : stdout;
  return `${shown.replace(/^....-..-..T..:..:.........\+..:../gm, 'TIME')}0`.trim();
}

// tests/v9 of a drbd-utils checkout.
/** How many commands the tests of 9.34 have, and those of 9.22, which Debian's source package holds. */
const COMMANDS = 29;
const COMMANDS_OF_9_22 = 24;
const folder = process.env.DRBD_UTILS_TESTS;
if (folder === undefined) {
  process.stderr.write(
    "SKIPPED: DRBD_UTILS_TESTS is not set, drbd-utils' own message scripts were not run\n",
  );
}
(folder === undefined ? describe.skip : describe)("drbd-utils' own message scripts", () => {
  it('print what they expect', async () => {
    const cases = casesOf(folder ?? '');
    for (const each of cases) {
      expect([each.file, each.command, await outputOf(folder ?? '', each)]).toEqual([
        each.file,
        each.command,
        each.expected,
      ]);
    }
    process.stderr.write(`compared ${cases.length} commands of drbd-utils' own tests\n`);
    const old = cases.some(({ command }) => command.includes('drbdsetup_events2_instrumented'));
    expect(cases.length).toBeGreaterThanOrEqual(old ? COMMANDS_OF_9_22 : COMMANDS);
  });
});
