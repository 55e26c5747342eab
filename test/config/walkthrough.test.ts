import path from 'node:path';
import { loadConfig, resolvePeers, validateResources } from '../../src/config/load';

const file = path.join(__dirname, '../../fixtures/config/walkthrough.conf');

describe('the configuration of the walkthrough', () => {
  const result = loadConfig({ configFile: file, nodeName: 'node1', inherit: true });

  test('is accepted with one warning for each legacy form, showing the modern one', () => {
    expect(result.exitCode).toBeUndefined();
    expect(result.config.valid).toBe(true);
    expect(result.diagnostics.map(({ id, line, suggestion }) => ({ id, line, suggestion }))).toEqual([
      { id: 'legacy-syncer', line: 2, suggestion: 'disk { resync-rate 100M; }' },
    ]);
    expect(result.diagnostics[0]?.text).toContain(
      "Warning: 'syncer { rate 100M; }' is deprecated, write 'disk { resync-rate 100M; }'.",
    );
  });

  test('gives node ids by address, inherits the rate and names the peer', () => {
    expect(validateResources(result.config, { dump: false }).exitCode).toBeUndefined();
    const [resource] = result.config.resources;
    if (resource === undefined) throw new Error('no resource');
    expect(resolvePeers(resource)).toEqual({ diagnostics: [], exitCode: undefined });
    resolvePeers(resource);
    const [connection] = resource.connections;
    expect(resource.me?.nodeId).toBe('0');
    expect(connection?.peer?.nodeId).toBe('1');
    expect(connection?.netOptions.map(({ name, value }) => `${name}=${value}`)).toEqual([
      '_name=node2',
      'shared-secret=secret',
      'cram-hmac-alg=sha1',
      'protocol=C',
    ]);
    expect(connection?.peerDevices[0]?.options.map(({ name, value }) => `${name}=${value}`)).toEqual([
      'resync-rate=100M',
    ]);
    expect(connection?.paths[0]?.target?.address).toBe('192.168.122.28');
  });
});
