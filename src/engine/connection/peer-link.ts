/** Streams, receiver and timers of one connection; everything in here belongs to connection/. */
export class PeerLink {}
