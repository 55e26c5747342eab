import { ReplicationState } from '../../src/control/contract/states';
import { renderProcDrbd, progressLines } from '../../src/drbdsetup/proc-drbd';
import { FakeEngine } from './fake-engine';
import { goldenSnapshots, peerDeviceStatistics, type GoldenResource } from './golden-state';

const [pending, sectors] = [{ dev_upper_pending: 0, dev_lower_pending: 0 }, 2 * 64];

/** The device lines a DRBD 8.4.11 kernel printed in these states (fixtures of the 8.4 wire recordings). */
const recorded: readonly (readonly [string, Partial<GoldenResource>, string])[] = [
  [
    'waiting for its peer',
    {
      info: { res_role: 1 },
      devices: [
        {
          vol: 0,
          minor: 0,
          stat: { ...pending, dev_read: 0, dev_write: sectors, dev_al_writes: 9, dev_bm_writes: 0 },
        },
      ],
      connections: [
        {
          peer: 1,
          name: 'peer',
          info: { conn_connection_state: 8, conn_role: 0 },
          pds: [
            {
              vol: 0,
              info: { peer_repl_state: 9, peer_disk_state: 7 },
              stat: { peer_dev_sent: sectors, peer_dev_received: 0 },
            },
          ],
        },
      ],
    },
    ' 0: cs:WFConnection ro:Primary/Unknown ds:UpToDate/DUnknown C r-----\n' +
      '    ns:64 nr:0 dw:64 dr:0 al:9 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:0\n',
  ],
  [
    'StandAlone',
    {
      info: { res_role: 1 },
      devices: [
        {
          vol: 0,
          minor: 0,
          stat: { ...pending, dev_read: 128, dev_write: 256, dev_al_writes: 9, dev_bm_writes: 0 },
        },
      ],
      connections: [
        {
          peer: 1,
          name: 'peer',
          info: { conn_connection_state: 0, conn_role: 0 },
          pds: [
            {
              vol: 0,
              info: { peer_repl_state: 9, peer_disk_state: 7 },
              stat: { peer_dev_sent: 256, peer_dev_received: 0 },
            },
          ],
        },
      ],
    },
    ' 0: cs:StandAlone ro:Primary/Unknown ds:UpToDate/DUnknown   r-----\n' +
      '    ns:128 nr:0 dw:128 dr:64 al:9 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:0\n',
  ],
];

describe('the text of /proc/drbd', () => {
  it.each(recorded)('of a device that is %s', (_what, resource, lines) => {
    const snapshots = goldenSnapshots({ resources: [{ name: 'r0', ...resource }] });
    expect(renderProcDrbd(snapshots, '1').split('\n\n')[1]).toBe(lines);
  });

  it('shows the progress a real kernel showed', () => {
    const statistics = peerDeviceStatistics({
      peer_dev_rs_total: 4096,
      peer_dev_ov_left: 2 * 1712,
      peer_dev_rs_c_sync_rate: 512,
      peer_dev_rs_dt0_ms: 1000,
      peer_dev_rs_db0_sectors: 672,
    });
    const [bar, line] = progressLines(ReplicationState.VerifyS, statistics);
    expect(bar).toBe('\t[===================>] verified:100.0% (1712/2048)K');
    expect(line).toMatch(/^\tfinish: 0:00:05 speed: 336 \(.*\) want: 512 K\/sec$/);
  });

  it('leaves an empty line before each gap and names what is not configured', () => {
    const snapshots = goldenSnapshots({
      resources: [
        { name: 'b', devices: [{ vol: 0, minor: 12, diskless: 1 }] },
        {
          name: 'a',
          devices: [
            { vol: 0, minor: 3 },
            { vol: 1, minor: 4 },
          ],
        },
      ],
    });
    const lines = renderProcDrbd(snapshots, '1').split('\n');
    expect(lines[0]).toBe('version: 9.3.3 (api:2/proto:118-124)');
    expect(lines.slice(2).map((line) => line.slice(0, 3))).toEqual([
      '',
      ' 3:',
      '   ',
      ' 4:',
      '   ',
      '',
      '12:',
      '',
    ]);
    expect(lines).toContain('12: cs:Unconfigured');
  });

  it('is printed by a command of its own', async () => {
    const { stdout, exit } = await new FakeEngine().run(['proc-drbd']);
    expect([exit, stdout]).toEqual([0, expect.stringMatching(/^version: 9\.3\.3 .*\nGIT-hash: 0{40} .*\n$/)]);
  });
});
