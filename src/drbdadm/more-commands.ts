/** What drbdadm has beyond the real one's commands. */
export { explainCommand, extraHelp, moreCommandsText } from './more-help';
export { runExtraCommand } from './run-extra';
