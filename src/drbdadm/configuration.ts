/** The configuration room, loaded when a command needs a configuration: parsing brings chevrotain along. */
import {
  type LoadConfig,
  type LoadShowOutput,
  type ResolvePeers,
  type ValidateResources,
  type VerifyAddresses,
} from '../config/load';

export interface Configuration {
  readonly loadConfig: LoadConfig;
  readonly loadShowOutput: LoadShowOutput;
  readonly validateResources: ValidateResources;
  readonly resolvePeers: ResolvePeers;
  readonly verifyAddresses: VerifyAddresses;
}

export function configuration(): Configuration {
  return require('../config/load-config') as typeof import('../config/load-config');
}
