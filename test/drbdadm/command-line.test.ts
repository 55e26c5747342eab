import { parseCommandLine, type ParsedCommandLine } from '../../src/drbdadm/command-line';

const port = {
  canRead: (file: string) => file !== 'nofile',
  isExecutable: (file: string) => file !== '/nope',
};

function parse(...words: readonly string[]): ParsedCommandLine {
  return parseCommandLine(words, 'drbdadm', port);
}

function failure(...words: readonly string[]): { messages: readonly string[]; exitCode: number } {
  const parsed = parse(...words);
  if (parsed.kind !== 'failure') throw new Error(`parsed: ${parsed.kind}`);
  return { messages: parsed.messages, exitCode: parsed.exitCode };
}

function line(...words: readonly string[]) {
  const parsed = parse(...words);
  if (parsed.kind !== 'run') throw new Error(`not a command: ${JSON.stringify(parsed)}`);
  return parsed.line;
}

function texts(...words: readonly string[]): readonly string[] {
  return line(...words).backEndTexts.map((entry) => entry.text);
}

describe('options in any place', () => {
  test('options after the command and its arguments count', () => {
    const parsed = line('primary', 'r0', '--force', '-d', '-c', 'x.res');
    expect(parsed.command.name).toBe('primary');
    expect(parsed.names).toEqual(['r0']);
    expect(parsed.dryRun).toBe(true);
    expect(parsed.configFile).toBe('x.res');
    expect(parsed.backEndTexts.map((entry) => entry.text)).toEqual(['--force']);
  });

  test('after -- everything is a word: --force becomes a resource name', () => {
    expect(line('primary', 'r0', '--', '--force').names).toEqual(['r0', '--force']);
  });

  test('unknown words before the command are back-end options: the discouraged old form', () => {
    expect(texts('--', '--force', 'primary', 'all')).toEqual(['--force']);
    expect(texts('--', '1:2:3', 'set-gi', 'r1:beta/1')).toEqual(['1:2:3']);
  });

  test('the old way to say --force is understood, with a word of warning', () => {
    expect(texts('--', '--overwrite-data-of-peer', 'primary', 'all')).toEqual(['--force']);
    expect(texts('--', '-o', 'primary', 'all')).toEqual(['--force']);
    expect(texts('--', '--overwrite-data-of-peer', 'secondary', 'all')).toEqual(['--overwrite-data-of-peer']);
    expect(parse('--', '--overwrite-data-of-peer', 'primary', 'all')).toMatchObject({
      warnings: [
        "'drbdadm -- --overwrite-data-of-peer primary' is deprecated, use 'drbdadm primary --force' instead.",
      ],
    });
  });

  test('-W texts come first, then unknown words, then long options', () => {
    expect(texts('--force', '-W--a', '--', '--b', 'primary', 'r0')).toEqual(['--a', '--b', '--force']);
  });

  test('short options cluster and take values with or without a blank', () => {
    const parsed = line('-dvcx.res', 'up', 'r0');
    expect([parsed.dryRun, parsed.verbosity, parsed.configFile]).toEqual([true, 1, 'x.res']);
  });
});

describe('abbreviations', () => {
  test('one internal code for all back-end options: the first in table order wins', () => {
    expect(texts('peer-device-options', '--c-m=5', 'r0')).toEqual(['--c-max-rate=5']);
  });

  test('an abbreviation is ambiguous only if the kinds of argument differ', () => {
    expect(failure('primary', '--f', 'r0')).toEqual({
      messages: [
        "drbdadm: option '--f' is ambiguous; possibilities: '--force' '--fencing' '--fencing'",
        "try 'drbdadm help'",
      ],
      exitCode: 1,
    });
  });

  test('a boolean takes its value only with =', () => {
    expect(texts('primary', '--force=yes', 'r0')).toEqual(['--force=yes']);
    expect(line('primary', '--force', 'yes').names).toEqual(['yes']);
    expect(texts('resize', '--size', '5G', 'r0')).toEqual(['--size=5G']);
  });
});

describe('refusals', () => {
  const hint = "try 'drbdadm help'";
  test.each([
    [
      ['-dx', 'up'],
      ["drbdadm: invalid option -- 'x'", hint],
    ],
    [['-c'], ["drbdadm: option requires an argument -- 'c'", hint]],
    [['--config-file'], ["drbdadm: option '--config-file' requires an argument", hint]],
    [['--dry-run=3'], ["drbdadm: option '--dry-run' doesn't allow an argument", hint]],
    [
      ['--bogus', '-V'],
      ["drbdadm: unrecognized option '--bogus'", hint],
    ],
    [['foo', 'bar'], ["drbdadm: Unknown command 'foo'"]],
    [['up', ''], ['Resource name is empty.']],
    [['up', 'a\nb'], ["Resource name is invalid - please don't use control characters."]],
    [
      ['primary', '--size=1', 'r0'],
      ["drbdadm: unrecognized option '--size'", "try 'drbdadm help primary'"],
    ],
    [
      ['up', '-t', 'x', 'r0'],
      ['The --config-to-test (-t) option is only allowed with the dump and sh-nop commands'],
    ],
  ])('%j', (words, messages) => {
    expect(failure(...words)).toEqual({ messages, exitCode: 1 });
  });

  test('files are tried as soon as their option is seen', () => {
    expect(failure('foo', '-c', 'nofile')).toEqual({ messages: ["Can not open 'nofile'."], exitCode: 20 });
    expect(failure('-s', '/nope', 'foo')).toEqual({
      messages: ['Can not find command (drbdsetup/drbdmeta)'],
      exitCode: 20,
    });
  });
});

describe('words', () => {
  test('old command names go on working, with a note', () => {
    expect(parse('state', 'r0')).toMatchObject({
      kind: 'run',
      warnings: ["'drbdadm state' is deprecated, use 'drbdadm role' instead."],
      line: { command: { name: 'role' } },
    });
  });

  test('help before a command asks for help, after one it is a resource', () => {
    expect(parse('help', 'up')).toMatchObject({ kind: 'help', command: { name: 'up' } });
    expect(line('up', 'help').names).toEqual(['help']);
  });

  test('a missing resource or command shows the usage with a complaint', () => {
    expect(parse('up')).toMatchObject({ kind: 'help', complaint: 'No resource names specified' });
    expect(parse()).toMatchObject({ kind: 'help', complaint: 'No command specified' });
    expect(line('dump').names).toEqual([]);
  });

  test('a suspect shell variable is ignored with a warning', () => {
    expect(parse('-n', 'a b', 'down', 'r0')).toMatchObject({
      warnings: ['ignored --sh-varname=a b: contains suspect characters, allowed set is [a-zA-Z0-9_]'],
    });
  });
});
