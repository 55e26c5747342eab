export function usageText(programName: string): string {
  return `
USAGE: ${programName} [--force] [--quiet] DEVICE FORMAT [FORMAT ARGS...] COMMAND [CMD ARGS...]

FORMATS:
  v06 minor
  v07 device index
  v08 device index
  v09 device index

COMMANDS:
  get-gi --node-id {val} 
  show-gi --node-id {val} 
  dump-md 
  dump-superblock [--output-format={binary,hex,json}]
  hexdump-superblock 
  restore-md file
  verify-dump file
  apply-al 
  wipe-md 
  outdate 
  invalidate 
  dstate 
  check-resize 
  create-md [--effective-size {val}] [--diskful-peers {val}] [--peer-max-bio-size {val}] [--al-stripes {val}] [--al-stripe-size-kB {val}] [--bitmap-block-size {val}] {max_peers}
  forget-peer --node-id {val} 
  repair-md [--tentative]
`;
}
