import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

/** The configurations of the recorded runs of drbdadm 9.34, but for the long ones. */
export function goldenConfigurations(): readonly string[] {
  const file = path.join(__dirname, '../../fixtures/drbdadm/golden-9.34.json.gz');
  const golden: { readonly cases: readonly { readonly config: string }[] } = JSON.parse(
    zlib.gunzipSync(fs.readFileSync(file)).toString('utf8'),
  );
  return golden.cases.map(({ config }) => config).filter((config) => config.length < 6000);
}
