/** What drbdadm needs to run other programs. */
export { execa } from 'execa';
