/** The configuration room, loaded when a command needs a configuration: parsing brings chevrotain along. */
export function configuration(): typeof import('../config/load-config') {
  return require('../config/load-config') as typeof import('../config/load-config');
}
