/** The interface of this room. Importing these functions brings the parser along: do it when they are needed. */
export type * from './load-types';
export { defaultConfigFile, loadConfig, loadShowOutput } from './load-config';
export { resolvePeers } from './resolve-peers';
export { validateResources } from './validate-resources';
export { verifyAddresses } from './verify-addresses';
