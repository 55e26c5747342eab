import { playRecording } from './recorded-run';

/** Differences that are timing or a feature we do not offer; everything else is an error. */
const allowed: readonly { readonly why: string; readonly line: RegExp }[] = [
  {
    why: 'the size is stored by a deferred action, the receiver logs at once',
    line: /persisting effective size$/,
  },
  {
    why: "the target's states come before or after the end of the source's helper, or of its bitmap write",
    line: /pdsk\( (UpToDate|Consistent|Outdated) -> (Consistent|Outdated|Inconsistent) \)/,
  },
  { why: 'as above: without the peer disk', line: /repl\( (WFBitMapS|StartingSyncS) -> SyncSource \)/ },
  {
    why: 'as above: the state was known when the change was committed',
    line: /repl\( Established -> StartingSyncS \)/,
  },
  {
    why: 'the source compares again when the state comes before the commit',
    line: /uuid_compare\(\)=no-sync by rule=both-off/,
  },
  {
    why: 'the end of the control stream may overtake P_DISCONNECT: one more attempt',
    line: /Connecting -> (Disconnecting|NetworkFailure) |NetworkFailure -> Unconnected|Unconnected -> Connecting|StandAlone/,
  },
  { why: 'as above: which side compares first', line: /uuid_compare\(\)=split-brain-auto-recover/ },
  {
    why: 'RS_SKIP_UUID is not offered: a diskless node does not doubt its peers first',
    line: /Peer is on same UUID now|pdsk\( (Inconsistent|Consistent|Negotiating) -> \w+ \)/,
  },
];

test.each([
  ['01', 'initial sync, promote, demote, promote the other, down', { a: 30, b: 32 }],
  ['03', 'resync by bitmap after disconnects, twice', { a: 40, b: 46 }],
  ['05', 'full syncs by command', { a: 28, b: 38 }],
  ['06', 'split brain: by hand, by after-sb-0pri, by after-sb-1pri', { a: 78, b: 88 }],
  ['10', 'a diskless client, a diskful node that detaches and attaches', { a: 45, b: 40, c: 28 }],
])('recording %s: %s', (run, _what, least) => {
  const { common, different, problems } = playRecording(run);
  process.stderr.write(`recording ${run}: ${JSON.stringify(common)} lines as the kernel's\n`);
  expect(problems).toEqual([]);
  for (const [node, count] of Object.entries(least)) expect(common[node]).toBeGreaterThanOrEqual(count);
  const unexplained = Object.entries(different).flatMap(([node, lines]) =>
    lines.filter((line) => !allowed.some((one) => one.line.test(line))).map((line) => `${node}: ${line}`),
  );
  expect(unexplained).toEqual([]);
});
