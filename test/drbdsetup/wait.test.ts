import { type ControlEvent } from '../../src/control/contract/events';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../src/control/contract/states';
import { FakeEngine } from './fake-engine';
import { goldenSnapshots } from './golden-state';

const quiet = ['--wfc-timeout=0', '--degr-wfc-timeout=0'];
const offline = { peer_repl_state: 9, peer_disk_state: 7 };

function engineWith(connection = 8): FakeEngine {
  const engine = new FakeEngine();
  engine.snapshots = goldenSnapshots({
    resources: [
      {
        name: 'r0',
        devices: [
          { vol: 0, minor: 0 },
          { vol: 1, minor: 1 },
        ],
        connections: [1, 2].map((peer) => ({
          peer,
          name: `peer${peer}`,
          info: { conn_connection_state: connection, conn_role: 0 },
          pds: [
            { vol: 0, info: offline },
            { vol: 1, info: offline },
          ],
        })),
      },
    ],
  });
  return engine;
}

function replication(peerNodeId: number, volume: number, state: ReplicationState): ControlEvent {
  return {
    kind: 'peer-device',
    action: 'change',
    resource: 'r0',
    continues: false,
    peerNodeId,
    connectionName: `peer${peerNodeId}`,
    volume,
    info: {
      replication: state,
      disk: DiskState.UpToDate,
      resyncSuspUser: false,
      resyncSuspPeer: false,
      resyncSuspDependency: false,
      resyncSuspMaxParallel: false,
    },
  };
}

function connection(peerNodeId: number, state: ConnectionState): ControlEvent {
  return {
    kind: 'connection',
    action: 'change',
    resource: 'r0',
    continues: false,
    peerNodeId,
    connectionName: `peer${peerNodeId}`,
    info: { connection: state, role: Role.Unknown },
  };
}

async function waits(engine: FakeEngine, argv: readonly string[]): Promise<'waits' | number> {
  const ended = engine.run(argv).then(({ exit }) => exit);
  const patience = new Promise<'waits'>((resolve) => setTimeout(resolve, 200, 'waits'));
  const outcome = await Promise.race([ended, patience]);
  engine.hangUp();
  await ended;
  return outcome;
}

const { Established, SyncSource } = ReplicationState;

describe('wait-connect and wait-sync', () => {
  it.each([
    ['wait-connect-volume', ['1', '0'], [replication(1, 0, SyncSource)], 0],
    ['wait-connect-volume', ['1', '0'], [replication(1, 1, SyncSource)], 'waits'],
    ['wait-sync-volume', ['1', '0'], [replication(1, 0, SyncSource)], 'waits'],
    ['wait-sync-volume', ['1', '0'], [replication(1, 0, SyncSource), replication(1, 0, Established)], 0],
    ['wait-connect-connection', ['1'], [replication(1, 0, Established)], 'waits'],
    ['wait-connect-connection', ['1'], [replication(1, 0, Established), replication(1, 1, Established)], 0],
    [
      'wait-connect-connection',
      ['1'],
      [replication(2, 0, Established), replication(2, 1, Established)],
      'waits',
    ],
    [
      'wait-connect-resource',
      [],
      [1, 2].flatMap((peer) => [0, 1].map((volume) => replication(peer, volume, Established))),
      0,
    ],
    ['wait-connect-resource', [], [connection(1, ConnectionState.StandAlone)], 0],
  ])('%s %j', async (command, args, events, outcome) => {
    const engine = engineWith();
    engine.live = events.map((event, index) => [index + 1, event] as const);
    expect(await waits(engine, [command, 'r0', ...args, ...quiet])).toBe(outcome);
  });

  it('end with 5 when time is up, and say how they read the three timeouts', async () => {
    const started = Date.now();
    const outcome = await engineWith().run(['wait-connect-resource', 'r0', '--wfc-timeout=1']);
    expect(outcome).toEqual({
      exit: 5,
      stdout: '',
      stderr:
        'degr-wfc-timeout has to be shorter than wfc-timeout\n' +
        'degr-wfc-timeout implicitly set to wfc-timeout (1s)\n' +
        'outdated-wfc-timeout has to be shorter than degr-wfc-timeout\n' +
        'outdated-wfc-timeout implicitly set to degr-wfc-timeout (1s)\n',
    });
    expect(Date.now() - started).toBeGreaterThanOrEqual(990);
  });

  it('take the timeout the engine names', async () => {
    const engine = engineWith();
    engine.replies = Array.from({ length: 4 }, () => ({ code: 101, infoTexts: [], timeoutType: 1 }));
    const timeouts = ['--wfc-timeout=300', '--degr-wfc-timeout=1', '--outdated-wfc-timeout=1'];
    expect((await engine.run(['wait-connect-resource', 'r0', ...timeouts])).exit).toBe(5);
  });

  it('go on after a split brain if they are told to', async () => {
    const engine = engineWith();
    engine.live = [[1, connection(1, ConnectionState.StandAlone)]];
    let stderr = '';
    const argv = [
      'wait-connect-resource',
      'r0',
      '--wait-after-sb',
      '--wfc-timeout=1',
      '--degr-wfc-timeout=1',
    ];
    const exit = (await engine.run(argv, { stderr: (text) => (stderr += text) })).exit;
    expect(exit).toBe(5);
    expect(stderr).toContain(
      "\ndrbd r0 connection to peer-id 1 ('peer1') is StandAlone, but I'm configured to wait anways (--wait-after-sb)\n",
    );
  });

  it('refuse timeouts out of range', async () => {
    const outcome = await engineWith().run(['wait-sync-resource', 'r0', '--degr-wfc-timeout=300001']);
    expect(outcome).toEqual({
      exit: 20,
      stdout: '',
      stderr: 'degr_wfc_timeout => 300001 out of range [0..300000]\n',
    });
  });
});
