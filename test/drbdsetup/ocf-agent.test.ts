/**
 * Pacemaker's agent ocf:linbit:drbd, unmodified, on two hosts of ours: start, monitor, promote, notify, demote, stop
 * with the return codes Pacemaker expects. Named stand-ins: `crm_master` and `crm_resource` (they log their calls),
 * and bash's `test -f /proc/drbd`, since a process cannot make that file.
 */
import fs from 'node:fs';
import path from 'node:path';
import { hosts, TwoHosts, until, type Answer, type Host } from './two-hosts';

const agent = '/usr/lib/ocf/resource.d/linbit/drbd';
const functions = process.env.OCF_FUNCTIONS_DIR ?? '/usr/lib/ocf/lib/heartbeat';
const possible =
  TwoHosts.possible && fs.existsSync(agent) && fs.existsSync(path.join(functions, 'ocf-shellfuncs'));
if (!possible) process.stderr.write('SKIPPED: no ocf:linbit:drbd or no ocf-shellfuncs (resource-agents)\n');

/** bash's test: /proc/drbd is there, and a device node for every minor the daemon has. */
const testStandIn = `test() {
  case "$1 $2" in
    "-f /proc/drbd") return 0 ;;
    "-b /dev/drbd"*) drbdsetup dstate "\${2#/dev/drbd}" >/dev/null 2>&1 ;;
    *) builtin test "$@" ;;
  esac
}
`;

const [success, notRunning, runningMaster, notConfigured] = [0, 7, 8, 6];

(possible ? describe : describe.skip)('ocf:linbit:drbd', () => {
  let pair: TwoHosts;
  let log: string;

  beforeAll(async () => {
    pair = new TwoHosts(27_000 + (process.pid % 10_000));
    log = path.join(pair.folder, 'crm.log');
    for (const name of ['crm_master', 'crm_resource', 'crm_attribute']) {
      fs.writeFileSync(path.join(pair.folder, 'bin', name), `#!/bin/sh\necho "${name} $*" >> "${log}"\n`, {
        mode: 0o755,
      });
    }
    fs.writeFileSync(path.join(pair.folder, 'stand-in.bash'), testStandIn);
    // The administrator has made the resource and synced it before Pacemaker gets it.
    for (const host of hosts) {
      expect(pair.createMetaData(host).status).toBe(0);
      expect(pair.adm(host, 'up', 'r0').status).toBe(0);
    }
    await until('the connection', () => pair.adm('alpha', 'cstate', 'r0').stdout === 'Connected\n');
    expect(pair.adm('alpha', 'primary', '--force', 'r0').status).toBe(0);
    await until('the sync', () => pair.adm('alpha', 'dstate', 'r0').stdout === 'UpToDate/UpToDate\n');
    for (const host of hosts) expect(pair.adm(host, 'down', 'r0').status).toBe(0);
  }, 240_000);
  afterAll(() => pair.remove());

  function ocf(host: Host, action: string, extra: NodeJS.ProcessEnv = {}): Answer {
    const meta = {
      BASH_ENV: path.join(pair.folder, 'stand-in.bash'),
      OCF_ROOT: '/usr/lib/ocf',
      OCF_FUNCTIONS_DIR: functions,
      OCF_RESOURCE_INSTANCE: 'drbd:0',
      OCF_RESKEY_drbd_resource: 'r0',
      OCF_RESKEY_drbdconf: pair.configuration,
      OCF_RESKEY_CRM_meta_clone_max: '2',
      OCF_RESKEY_CRM_meta_clone_node_max: '1',
      OCF_RESKEY_CRM_meta_master_max: '1',
      OCF_RESKEY_CRM_meta_master_node_max: '1',
      OCF_RESKEY_CRM_meta_notify: 'true',
      OCF_RESKEY_CRM_meta_interval: '0',
      OCF_RESKEY_crm_feature_set: '3.19.0',
      HA_SBIN_DIR: path.join(pair.folder, 'bin'),
      HA_RSCTMP: pair.folder,
    };
    return pair.runWith({ ...meta, ...extra }, host, agent, action);
  }
  const regular = { OCF_RESKEY_CRM_meta_interval: '10000' };

  it('starts on both hosts, where it was not running', async () => {
    for (const host of hosts) {
      expect(ocf(host, 'monitor')).toMatchObject({ status: notRunning });
      expect(ocf(host, 'start')).toMatchObject({ status: success });
      expect(ocf(host, 'monitor', regular)).toMatchObject({ status: success });
    }
    await until('the connection', () => pair.adm('alpha', 'cstate', 'r0').stdout === 'Connected\n');
  }, 240_000);

  it('promotes where there is data, and monitors the two roles apart', async () => {
    await until('the data', () => pair.adm('alpha', 'dstate', 'r0').stdout === 'UpToDate/UpToDate\n');
    expect(ocf('alpha', 'promote')).toMatchObject({ status: success });
    expect(ocf('alpha', 'monitor', regular)).toMatchObject({ status: runningMaster });
    expect(ocf('beta', 'monitor', regular)).toMatchObject({ status: success });
    const notify = {
      OCF_RESKEY_CRM_meta_notify_type: 'post',
      OCF_RESKEY_CRM_meta_notify_operation: 'promote',
    };
    expect(ocf('beta', 'notify', notify)).toMatchObject({ status: success });
    expect(fs.readFileSync(log, 'utf8')).toMatch(/crm_master -Q -l reboot -v 10000/);
  }, 240_000);

  it('demotes and stops', () => {
    expect(ocf('alpha', 'demote')).toMatchObject({ status: success });
    expect(pair.adm('alpha', 'role', 'r0').stdout).toBe('Secondary\n');
    for (const host of hosts) {
      expect(ocf(host, 'stop')).toMatchObject({ status: success });
      expect(ocf(host, 'monitor')).toMatchObject({ status: notRunning });
      expect(pair.run(host, 'drbdsetup', 'status').stdout).toBe('# No currently configured DRBD found.\n');
    }
  }, 240_000);

  it('refuses a resource that is not configured', () => {
    expect(ocf('alpha', 'start', { OCF_RESKEY_drbd_resource: 'nosuch' }).status).toBeGreaterThan(success);
    expect([5, notConfigured]).toContain(
      ocf('alpha', 'validate-all', { OCF_RESKEY_drbd_resource: 'nosuch' }).status,
    );
  }, 240_000);
});
