import { type Outcome } from './load-types';
import { type Address, type Resource } from './model';
import { EXIT_CONFIG_INVALID, Reporter } from './report';

/** The address of the local host section must be one of this host (config-language.md 8.3). */
export function verifyAddresses(resource: Resource, isLocalAddress: (address: Address) => boolean): Outcome {
  const report = new Reporter(true);
  const address = resource.me?.address;
  const exempt = address === undefined || address.family === 'sdp' || address.family === 'ssocks';
  if (exempt || isLocalAddress(address)) return { diagnostics: [], exitCode: undefined };
  const { file } = resource.origin;
  report.error(
    'address-not-here',
    resource.origin,
    `${file}: in resource ${resource.name}, on ${resource.me?.names.join(' ') ?? ''}:\n` +
      `\tIP ${address.address} not found on this host.`,
  );
  return { diagnostics: report.diagnostics, exitCode: EXIT_CONFIG_INVALID };
}
