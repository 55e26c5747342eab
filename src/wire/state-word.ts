/**
 * The 32-bit state word of P_STATE, P_STATE_CHG_REQ and two-phase commits (wire-protocol section 6).
 * Inside the program disk states always have DRBD 9's numbers; stateToWire() and stateFromWire() convert
 * for peers below protocol 110, and only for P_STATE (the kernel does not convert masks and values).
 */

export const ROLE = { Unknown: 0, Primary: 1, Secondary: 2 } as const;

/** Connection and replication states share one number space. 8.4 calls 8 WFConnection, 9 WFReportParams. */
export const CONN = {
  StandAlone: 0,
  Disconnecting: 1,
  Unconnected: 2,
  Timeout: 3,
  BrokenPipe: 4,
  NetworkFailure: 5,
  ProtocolError: 6,
  TearDown: 7,
  Connecting: 8,
  /** Connected as a connection state, Off as a replication state. */
  Connected: 9,
  Off: 9,
  Established: 10,
  StartingSyncS: 11,
  StartingSyncT: 12,
  WFBitMapS: 13,
  WFBitMapT: 14,
  WFSyncUUID: 15,
  SyncSource: 16,
  SyncTarget: 17,
  VerifyS: 18,
  VerifyT: 19,
  PausedSyncS: 20,
  PausedSyncT: 21,
  Ahead: 22,
  Behind: 23,
  Mask: 31,
} as const;

/** Disk states with DRBD 9's numbers. */
export const DISK = {
  Diskless: 0,
  Attaching: 1,
  Detaching: 2,
  Failed: 3,
  Negotiating: 4,
  Inconsistent: 5,
  Outdated: 6,
  DUnknown: 7,
  Consistent: 8,
  UpToDate: 9,
  Mask: 15,
} as const;

/** Where the fields are: shift and width in bits, in the order of the word. */
const PARTS = {
  role: [0, 2],
  peer: [2, 2],
  conn: [4, 5],
  disk: [9, 4],
  peerDisk: [13, 4],
  suspUser: [17, 1],
  afterIsp: [18, 1],
  peerIsp: [19, 1],
  userIsp: [20, 1],
  suspNoData: [21, 1],
  suspFencing: [22, 1],
  quorum: [23, 1],
} as const;

type Part = keyof typeof PARTS;

/**
 * The word taken apart; all numbers, flags 0 or 1. `peer` and `peerDisk` are the receiver's role and
 * disk as the sender sees them. As a mask, a field is its highest value (role 3, conn 31, disk 15).
 */
export type StateFields = { readonly [P in Part]: number };

/** Mask of each field within the word. */
export const STATE_MASK: { readonly [P in Part]: number } = {
  role: mask('role'),
  peer: mask('peer'),
  conn: mask('conn'),
  disk: mask('disk'),
  peerDisk: mask('peerDisk'),
  suspUser: mask('suspUser'),
  afterIsp: mask('afterIsp'),
  peerIsp: mask('peerIsp'),
  userIsp: mask('userIsp'),
  suspNoData: mask('suspNoData'),
  suspFencing: mask('suspFencing'),
  quorum: mask('quorum'),
};

function mask(part: Part): number {
  const [shift, bits] = PARTS[part];
  return ((1 << bits) - 1) << shift;
}

function take(word: number, part: Part): number {
  const [shift, bits] = PARTS[part];
  return (word >>> shift) & ((1 << bits) - 1);
}

function put(value: number, part: Part): number {
  const [shift, bits] = PARTS[part];
  return (value & ((1 << bits) - 1)) << shift;
}

/** One word from fields; missing ones are 0. */
export function packState(fields: Partial<StateFields>): number {
  const { role = 0, peer = 0, conn = 0, disk = 0, peerDisk = 0 } = fields;
  const { suspUser = 0, afterIsp = 0, peerIsp = 0, userIsp = 0 } = fields;
  const { suspNoData = 0, suspFencing = 0, quorum = 0 } = fields;
  const states =
    put(role, 'role') | put(peer, 'peer') | put(conn, 'conn') | put(disk, 'disk') | put(peerDisk, 'peerDisk');
  const flags =
    put(suspUser, 'suspUser') |
    put(afterIsp, 'afterIsp') |
    put(peerIsp, 'peerIsp') |
    put(userIsp, 'userIsp') |
    put(suspNoData, 'suspNoData') |
    put(suspFencing, 'suspFencing') |
    put(quorum, 'quorum');
  return (states | flags) >>> 0;
}

export function unpackState(word: number): StateFields {
  return {
    role: take(word, 'role'),
    peer: take(word, 'peer'),
    conn: take(word, 'conn'),
    disk: take(word, 'disk'),
    peerDisk: take(word, 'peerDisk'),
    suspUser: take(word, 'suspUser'),
    afterIsp: take(word, 'afterIsp'),
    peerIsp: take(word, 'peerIsp'),
    userIsp: take(word, 'userIsp'),
    suspNoData: take(word, 'suspNoData'),
    suspFencing: take(word, 'suspFencing'),
    quorum: take(word, 'quorum'),
  };
}

function mapDisks(word: number, convert: (disk: number) => number): number {
  const rest = word & ~(STATE_MASK.disk | STATE_MASK.peerDisk);
  return (
    (rest | put(convert(take(word, 'disk')), 'disk') | put(convert(take(word, 'peerDisk')), 'peerDisk')) >>> 0
  );
}

/** The word of a P_STATE for a peer with this agreed protocol: below 110 there is no Detaching. */
export function stateToWire(word: number, protocol: number): number {
  return protocol >= 110 ? word : mapDisks(word, (disk) => (disk > 2 ? disk - 1 : disk));
}

/** The word of a received P_STATE with DRBD 9's disk numbers. */
export function stateFromWire(word: number, protocol: number): number {
  return protocol >= 110 ? word : mapDisks(word, (disk) => (disk >= 2 && disk < 15 ? disk + 1 : disk));
}

const MIRRORED_CONN: ReadonlyMap<number, number> = new Map([
  [CONN.Off, CONN.Off],
  [CONN.Established, CONN.Established],
  [CONN.StartingSyncS, CONN.StartingSyncT],
  [CONN.StartingSyncT, CONN.StartingSyncS],
  [CONN.WFBitMapS, CONN.WFBitMapT],
  [CONN.WFBitMapT, CONN.WFBitMapS],
  [CONN.VerifyS, CONN.VerifyT],
  [CONN.Disconnecting, CONN.TearDown],
  [CONN.Connecting, CONN.Connecting],
  [CONN.Mask, CONN.Mask],
]);

/**
 * The peer's word as seen from here (wire-protocol 6.2): role and peer, disk and peerDisk change places.
 * Use it on mask and value separately.
 */
export function mirrorState(word: number): number {
  const theirs = unpackState(word);
  return packState({
    role: theirs.peer,
    peer: theirs.role,
    conn: MIRRORED_CONN.get(theirs.conn) ?? 0,
    disk: theirs.peerDisk,
    peerDisk: theirs.disk,
    peerIsp: theirs.afterIsp | theirs.userIsp,
  });
}
