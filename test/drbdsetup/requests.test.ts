import { type ControlRequest } from '../../src/control/contract/requests';
import { FakeEngine } from './fake-engine';
import { fixture, goldenSnapshots, optionValues, type Attributes, type GoldenRun } from './golden-state';

interface GoldenRequest {
  readonly cmd: string;
  readonly minor: number;
  readonly flags: number;
  readonly attrs: Readonly<Record<string, Attributes>>;
}
interface RequestCase extends GoldenRun {
  readonly requests: readonly GoldenRequest[];
}
const { cases }: { cases: readonly RequestCase[] } = JSON.parse(fixture('requests.json'));

const helps = new Map(
  fixture('help-all.txt')
    .split('-----\n')
    .map((text) => [/^drbdsetup (\S+)/.exec(text)?.[1] ?? '', text]),
);
const expand = (text: string): string =>
  text
    .replace('{{usage}}', fixture('usage.txt'))
    .replace(/\{\{help:(.*?)\}\}/, (_match, name: string) => helps.get(name) ?? '');

/** The request in the words of the contract, from the netlink attributes. */
function expected({ cmd, minor, flags, attrs }: GoldenRequest): Record<string, unknown> {
  const names: Record<string, string> = {
    NEW_C_UUID: 'new-current-uuid',
    INVAL_PEER: 'invalidate-remote',
    START_OV: 'verify',
    RESOURCE_OPTS: 'resource-options',
    CHG_NET_OPTS: 'net-options',
    CHG_DISK_OPTS: 'disk-options',
    CHG_PEER_DEVICE_OPTS: 'peer-device-options',
  };
  const command = names[cmd] ?? cmd.toLowerCase().replaceAll('_', '-');
  const { ctx = {}, ...containers } = attrs;
  const values: Record<string, unknown> = { command };
  if (minor >= 0) values.minor = minor;
  if (ctx.resource_name !== undefined) values.resource = ctx.resource_name;
  if (ctx.peer_node_id !== undefined) values.peerNodeId = ctx.peer_node_id;
  if (ctx.volume !== undefined) values.volume = ctx.volume;
  if (command.endsWith('-options')) values.setDefaults = flags === 1;
  for (const [container, attributes] of Object.entries(containers)) {
    Object.assign(values, containerValues(container, attributes));
  }
  return values;
}

function containerValues(container: string, from: Attributes): Record<string, unknown> {
  const optional = (
    name: string,
    key: string,
    read: (value: unknown) => unknown = (v) => v,
  ): Record<string, unknown> => (from[name] === undefined ? {} : { [key]: read(from[name]) });
  const flag = (value: unknown): boolean => value === 1;
  switch (container) {
    case 'res_opts':
      return {
        options: optionValues('resource_options', from),
        ...optional('node_id', 'nodeId', (id) => (id === 4294967295 ? null : id)),
      };
    case 'net_conf':
      return { options: optionValues('show_net_options', from) };
    case 'device_conf':
      return { options: optionValues('device_options', from) };
    case 'peer_device_conf':
      return { options: optionValues('peer_device_options', from) };
    case 'disk_conf':
      return {
        options: optionValues('attach', from),
        ...optional('meta_dev_idx', 'metaIndex', (index) => Number(index) | 0),
      };
    case 'set_role_parms':
      return optional('force', 'force', flag);
    case 'disconnect_parms':
      return optional('force_disconnect', 'force', flag);
    case 'detach_parms':
      return {
        ...optional('force_detach', 'force', flag),
        ...optional('intentional_diskless_detach', 'diskless', flag),
      };
    case 'connect_parms':
      return {
        ...optional('tentative', 'tentative', flag),
        ...optional('discard_my_data', 'discardMyData', flag),
      };
    case 'resize_parms':
      return {
        ...optional('resize_size', 'size'),
        ...optional('resize_force', 'assumePeerHasSpace', flag),
        ...optional('no_resync', 'assumeClean', flag),
        ...optional('al_stripes', 'alStripes'),
        ...optional('al_stripe_size', 'alStripeSize'),
      };
    case 'start_ov_parms':
      return { ...optional('ov_start_sector', 'start'), ...optional('ov_stop_sector', 'stop') };
    case 'new_c_uuid_parms':
      return {
        ...optional('clear_bm', 'clearBitmap', flag),
        ...optional('force_resync', 'forceResync', flag),
      };
    case 'invalidate_parms':
      return {
        ...optional('sync_from_peer_node_id', 'syncFromPeerNodeId'),
        ...optional('reset_bitmap', 'resetBitmap', flag),
      };
    case 'invalidate_peer_parms':
      return optional('p_reset_bitmap', 'resetBitmap', flag);
    case 'suspend_io_parms':
      return optional('bdev_freeze', 'bdevFreeze', flag);
    case 'forget_peer_parms':
      return optional('forget_peer_node_id', 'peerNodeId');
    case 'rename_resource_parms':
      return optional('new_resource_name', 'newName');
    case 'path_parms':
      return {};
    default:
      throw new Error(`container ${container}`);
  }
}

/** Cases the recording program and this one differ in on purpose, or that need a machine with such devices. */
function isComparable({ argv, exit }: RequestCase): boolean {
  const attaches = argv[0] === 'attach' && argv.some((word) => word.startsWith('/dev/loop'));
  return !attaches && exit !== -11;
}

const isChange = ({ cmd }: GoldenRequest): boolean => !cmd.startsWith('GET_') || cmd === 'GET_TIMEOUT_TYPE';

const standardState = {
  resources: [
    {
      name: 'r0',
      devices: [{ vol: 0, minor: 0, backing: '/dev/vg/r0' }],
      connections: [{ peer: 1, name: 'bravo' }],
    },
  ],
};

describe('command lines', () => {
  it('give the requests, words and exit status of the real tool', async () => {
    let compared = 0;
    for (const golden of cases.filter(isComparable)) {
      const engine = new FakeEngine();
      engine.snapshots = goldenSnapshots(standardState);
      const { exit, stdout, stderr } = await engine.run(golden.argv);
      expect({ argv: golden.argv, exit, stdout, stderr }).toEqual({
        argv: golden.argv,
        exit: golden.exit,
        stdout: expand(golden.stdout ?? ''),
        stderr: golden.stderr ?? '',
      });
      const changes = golden.requests.filter(isChange).map(expected);
      expect([golden.argv, engine.requests]).toMatchObject([golden.argv, changes]);
      compared += 1;
    }
    process.stderr.write(`compared ${compared} of ${cases.length} command lines with the real tool\n`);
    expect(compared).toBeGreaterThanOrEqual(112);
  }, 60_000);
});

describe('paths', () => {
  it.each([
    ['local:ipv4:10.0.0.1:7789', 'peer:ipv4:10.0.0.2:7790', 'ipv4', '10.0.0.1', 7789],
    ['10.0.0.1', '10.0.0.2', 'ipv4', '10.0.0.1', 7788],
    ['ipv6:[fd00::1]:7789', 'ipv6:[fd00::2]:7789', 'ipv6', 'fd00::1', 7789],
    ['ipv6:fd00::1:7789', 'ipv6:[fd00::2]', 'ipv6', 'fd00::1', 7789],
  ])('%s is understood', async (local, remote, family, host, port) => {
    const engine = new FakeEngine();
    await engine.run(['new-path', 'r0', '1', local, remote]);
    expect(engine.requests).toMatchObject([{ command: 'new-path', local: { family, host, port } }]);
  });
});

describe('an engine in a transient state', () => {
  it('is asked again until it has left it', async () => {
    const engine = new FakeEngine();
    const transient = { code: -18, infoTexts: [] };
    engine.replies = [transient, transient];
    expect(await engine.run(['primary', 'r0'])).toEqual({ exit: 0, stdout: '', stderr: '' });
    const asked: ControlRequest = { command: 'primary', resource: 'r0', force: false };
    expect(engine.requests).toEqual([asked, asked, asked]);
  });
});
