import { type RandomStream } from './random-stream';

/** What travels from one address to another: one direction of a cable. */
export class NetworkLink {
  /** Nothing arrives; the sender is not told. What was sent arrives when this ends, as TCP sends it again. */
  blackholed = false;
  /** Milliseconds. */
  latency: number;
  jitter: number;
  /** Probability that a packet is lost once and arrives a retransmission timeout later. */
  loss = 0;
  /** Bytes per millisecond. */
  bandwidth = 200000;

  constructor(
    readonly from: string,
    readonly to: string,
    private readonly random: RandomStream,
  ) {
    this.latency = 0.02 + random.fraction() * 0.2;
    this.jitter = random.fraction() * 0.3;
  }
  /** Milliseconds that one packet takes. */
  delay(bytes: number): number {
    const retransmission = this.loss > 0 && this.random.chance(this.loss) ? 200 : 0;
    return this.latency + this.random.fraction() * this.jitter + bytes / this.bandwidth + retransmission;
  }
}
