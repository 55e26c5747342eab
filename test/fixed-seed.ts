/**
 * What holds for all tests: property tests run the same cases everywhere (UDRBD_RANDOM=1 looks for new ones), and
 * nothing is left in the cache of the user who runs them.
 */
import fc from 'fast-check';

if (process.env.UDRBD_RANDOM === undefined) fc.configureGlobal({ seed: 20261121 });
process.env.UDRBD_SNAPSHOT = 'no';
