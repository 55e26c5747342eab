/**
 * Pacemaker's fence handlers of drbd-utils, unmodified, on hosts of ours. They ask drbdsetup for the state of the disks and
 * decide. Named stand-ins keep a cluster information base in a file: cibadmin, crm_mon, crm_diff, crmadmin, crm_node;
 * `logger` keeps what is said, and `uname -n` names the host.
 */
import fs from 'node:fs';
import path from 'node:path';
import { hosts, TwoHosts, until, type Answer } from './two-hosts';

const fence = '/usr/lib/drbd/crm-fence-peer.9.sh';
const unfence = '/usr/lib/drbd/crm-unfence-peer.9.sh';
const functions = '/usr/lib/ocf/resource.d/linbit/drbd.shellfuncs.sh';
const possible = TwoHosts.possible && [fence, unfence, functions].every((file) => fs.existsSync(file));
if (!possible) process.stderr.write('SKIPPED: no fence handlers of drbd-utils\n');

const [placedReachable, peerUnreachable, placedFenced] = [4, 5, 7];
const online = 'in_ccm="true" crmd="online" join="member" expected="member"';
const fenced = 'in_ccm="false" crmd="offline" join="down" expected="down"';

/** What each stand-in does; $CIB is its folder. */
const standIns: Readonly<Record<string, string>> = {
  cibadmin: `echo "cibadmin $*" >> "$CIB/log"
case "$1" in
  -Q*) cat "$CIB/head"; cat "$CIB/constraint" 2>/dev/null; cat "$CIB/tail" ;;
  --patch) cat >/dev/null; mv "$CIB/new" "$CIB/constraint" ;;
  -D) rm -f "$CIB/constraint" ;;
  *) while [ "$1" != -X ]; do shift; done; printf '%s\\n' "$2" > "$CIB/new" ;;
esac`,
  crm_mon: 'echo \'<current_dc present="true" with_quorum="true"/>\'',
  crm_diff: 'echo changed',
  crm_node: 'echo 1',
  crmadmin: '[ "$3" = --version ] || echo "Status of controller on $4: S_IDLE (ok)"',
  logger: 'cat >> "$CIB/said"',
  uname: 'if [ "$1" = -n ]; then echo "$__DRBD_NODE__"; else exec /bin/uname "$@"; fi',
};

(possible ? describe : describe.skip)('fence handlers', () => {
  let pair: TwoHosts;
  let base: string;
  beforeAll(async () => {
    pair = new TwoHosts(47_000 + (process.pid % 10_000));
    base = path.join(pair.folder, 'cib');
    fs.mkdirSync(base);
    for (const [name, body] of Object.entries(standIns))
      fs.writeFileSync(path.join(pair.folder, 'bin', name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    for (const host of hosts) {
      expect(pair.createMetaData(host).status).toBe(0);
      expect(pair.adm(host, 'up', 'r0').status).toBe(0);
    }
    await until('the connection', () => pair.adm('alpha', 'cstate', 'r0').stdout === 'Connected\n');
    expect(pair.adm('alpha', 'primary', '--force', 'r0').status).toBe(0);
    await until('the sync', () => pair.adm('alpha', 'dstate', 'r0').stdout === 'UpToDate/UpToDate\n');
  }, 240_000);
  afterAll(() => pair.remove());

  /** A cluster of two, with what it thinks of beta. */
  function cluster(beta: string): void {
    for (const name of ['constraint', 'new', 'log', 'said'])
      fs.rmSync(path.join(base, name), { force: true });
    const head = `<cib crm_feature_set="3.19.0" epoch="9" num_updates="1" admin_epoch="0" have-quorum="1">
<configuration>
<crm_config>
<cluster_property_set id="options">
<nvpair id="stonith" name="stonith-enabled" value="true"/>
</cluster_property_set>
</crm_config>
<nodes>
<node id="1" uname="alpha"/>
<node id="2" uname="beta"/>
</nodes>
<resources>
<clone id="ms-drbd">
<primitive id="drbd" class="ocf" provider="linbit" type="drbd">
<instance_attributes id="attributes">
<nvpair id="resource" name="drbd_resource" value="r0"/>
</instance_attributes>
</primitive>
</clone>
</resources>
<constraints>
`;
    fs.writeFileSync(path.join(base, 'head'), head);
    fs.writeFileSync(
      path.join(base, 'tail'),
      `</constraints>\n</configuration>\n<status>\n<node_state id="1" uname="alpha" ${online}/>\n` +
        `<node_state id="2" uname="beta" ${beta}/>\n</status>\n</cib>\n`,
    );
  }

  function handler(program: string, mask: string): Answer {
    const environment = {
      CIB: base,
      DRBD_RESOURCE: 'r0',
      DRBD_CONF: pair.configuration,
      DRBD_MY_NODE_ID: '0',
      DRBD_PEER_NODE_ID: '1',
      DRBD_NODE_ID_0: 'alpha',
      DRBD_NODE_ID_1: 'beta',
      UP_TO_DATE_NODES: mask,
    };
    const options = ['--lock-dir', base, '--timeout', '3', '--dc-timeout', '2'];
    return pair.runWith(environment, 'alpha', program, ...options);
  }
  /** The logger may lag behind. */
  const heard = (text: string): Promise<void> =>
    until(
      text,
      () =>
        fs.existsSync(path.join(base, 'said')) &&
        fs.readFileSync(path.join(base, 'said'), 'utf8').includes(text),
    );
  const constraint = (): string => {
    const file = path.join(base, 'constraint');
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  };

  it('place nothing as long as the peer is UpToDate', async () => {
    cluster(online);
    expect([handler(fence, '0x00000001').status, constraint()]).toEqual([1, '']);
    await heard('All peer disks are UpToDate! Did not place the constraint.');
  }, 240_000);

  it('place a constraint for this host when the peer is gone, and take it away again', async () => {
    expect(pair.adm('beta', 'down', 'r0').status).toBe(0);
    await until(
      'the peer to be gone',
      () => pair.adm('alpha', 'dstate', 'r0').stdout !== 'UpToDate/UpToDate\n',
    );
    cluster(online);
    expect(handler(fence, '0x00000001').status).toBe(placedReachable);
    await heard(
      "peers are reachable, my disk is UpToDate: placed constraint 'drbd-fence-by-handler-r0-ms-drbd'",
    );
    expect(constraint()).toContain('<expression attribute="#uname" operation="ne" value="alpha"');
    expect(pair.adm('beta', 'up', 'r0').status).toBe(0);
    await until('the peer', () => pair.adm('alpha', 'dstate', 'r0').stdout === 'UpToDate/UpToDate\n');
    expect(handler(unfence, '0x00000003').status).toBe(0);
    await heard("Removed constraint 'drbd-fence-by-handler-r0-ms-drbd'");
    expect(constraint()).toBe('');
    expect(pair.adm('beta', 'down', 'r0').status).toBe(0);
    cluster(fenced);
    expect(handler(fence, '0x00000001').status).toBe(placedFenced);
    await heard('peers are (node-level) fenced, my disk is UpToDate');
  }, 240_000);

  it('place nothing when this disk is no good either', async () => {
    expect(pair.adm('alpha', 'secondary', 'r0').status).toBe(0);
    expect(pair.adm('alpha', 'down', 'r0').status).toBe(0);
    expect(
      pair.run('alpha', 'drbdmeta', '--force', '0', 'v09', pair.image('alpha'), 'internal', 'invalidate')
        .status,
    ).toBe(0);
    expect(pair.adm('alpha', 'up', 'r0').status).toBe(0);
    cluster('in_ccm="false" crmd="offline" join="down" expected="member"');
    expect([handler(fence, '0x00000001').status, constraint()]).toEqual([peerUnreachable, '']);
    await heard('my disk is not UpToDate, did not place the constraint!');
  }, 240_000);
});
