/**
 * One listener per local endpoint, shared by all paths that have it; an accepted stream goes to the path whose remote
 * host it comes from (wire-protocol.md 4.1).
 */
import { type ByteStream, type Endpoint, type ErrnoCode, type IncomingWaiter, type Listener } from '../ports';
import { type Path } from '../objects';
import { type Host } from '../host';

export interface IncomingInterest {
  readonly path: Path;
  onIncoming(stream: ByteStream): void;
  onListenFailed(error: ErrnoCode): void;
}

class SharedListener implements IncomingWaiter {
  readonly interests = new Set<IncomingInterest>();
  listener: Listener | undefined;

  constructor(private readonly owner: IncomingStreams) {}

  onIncoming(stream: ByteStream): void {
    for (const interest of this.interests) {
      if (interest.path.remote.host === stream.remote.host) {
        interest.onIncoming(stream);
        return;
      }
    }
    this.owner.host.ports.log.write(
      'notice',
      `drbd: Closing unexpected connection from ${stream.remote.host}`,
    );
    stream.destroy();
  }
  onListenFailed(error: ErrnoCode): void {
    for (const interest of [...this.interests]) interest.onListenFailed(error);
  }
}

const keyOf = (endpoint: Endpoint): string => `${endpoint.family} ${endpoint.host} ${endpoint.port}`;

export class IncomingStreams {
  private readonly shared = new Map<string, SharedListener>();

  constructor(readonly host: Host) {}

  add(interest: IncomingInterest): void {
    const key = keyOf(interest.path.local);
    let entry = this.shared.get(key);
    if (entry === undefined) {
      entry = new SharedListener(this);
      this.shared.set(key, entry);
      entry.interests.add(interest);
      entry.listener = this.host.ports.network.listen(interest.path.local, entry);
      return;
    }
    entry.interests.add(interest);
  }
  remove(interest: IncomingInterest): void {
    const key = keyOf(interest.path.local);
    const entry = this.shared.get(key);
    if (entry === undefined) return;
    entry.interests.delete(interest);
    if (entry.interests.size > 0) return;
    this.shared.delete(key);
    entry.listener?.close();
  }
}
