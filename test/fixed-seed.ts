/** Property tests run the same cases everywhere; UDRBD_RANDOM=1 looks for new ones. */
import fc from 'fast-check';

if (process.env.UDRBD_RANDOM === undefined) fc.configureGlobal({ seed: 20261121 });
