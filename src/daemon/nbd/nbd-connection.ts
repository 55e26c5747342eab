/** One client of an export: negotiation, opening the device, transmission, closing. */
import { type Opener } from '../../engine/application-io';
import { Errno, type ByteStream, type ErrnoCode, type StreamReceiver } from '../../engine/ports';
import { ByteReader } from './byte-reader';
import { type Agreement, Negotiation } from './negotiation';
import { type DeviceDirectory } from './device-directory';
import { Transmission } from './transmission';
import { type SlabPool } from '../receive-memory';

const openErrors: Readonly<Record<number, string>> = {
  [Errno.EROFS]: 'read-only: the resource cannot become Primary here',
  [Errno.EMEDIUMTYPE]: 'wrong medium type: a peer is Primary',
  [Errno.ENODATA]: 'no data available: no up-to-date disk, or no quorum',
  [Errno.EAGAIN]: 'temporarily unavailable',
  [Errno.EACCES]: 'permission denied',
  [Errno.ENOTRECOVERABLE]: 'the device fails all I/O until every opener is gone',
};
const openError = (error: ErrnoCode): string => openErrors[error] ?? `cannot open the device: errno ${error}`;

export class NbdConnection implements StreamReceiver {
  private readonly reader = new ByteReader();
  private readonly negotiation: Negotiation;
  private transmission: Transmission | undefined;
  private opener: Opener | undefined;
  private paused = false;
  private advancing = false;
  private ending = false;
  private gone = false;

  /** `onGone`: stream and opener are closed. `slabs`: where the stream's memory comes from. */
  constructor(
    private readonly devices: DeviceDirectory,
    private readonly stream: ByteStream,
    private readonly onGone: (connection: NbdConnection) => void,
    private readonly slabs?: SlabPool,
  ) {
    this.negotiation = new Negotiation(devices, {
      send: (bytes) => this.send(bytes),
      onChosen: (name, agreement, accept, refuse) => this.choose(name, agreement, accept, refuse),
      onEnd: () => this.end(),
    });
  }
  start(): void {
    this.negotiation.start();
    this.stream.setReceiver(this);
  }
  /** True before the device is open. */
  get negotiating(): boolean {
    return this.transmission === undefined;
  }

  // --- StreamReceiver

  get window(): ByteReader {
    return this.reader;
  }
  onBytes(bytes: Uint8Array): void {
    if (this.ending) return;
    this.reader.push(bytes);
    this.advance();
  }
  onClosed(): void {
    this.gone = true;
    this.end();
  }
  onDrained(): void {
    this.advance();
  }

  private send(bytes: Uint8Array): void {
    if (!this.gone) this.stream.write(bytes);
  }
  private advance(): void {
    // Answers that come while requests are being taken ask for more: once is enough.
    if (this.ending || this.advancing) return;
    this.advancing = true;
    if (this.transmission === undefined) this.negotiation.advance(this.reader);
    this.transmission?.advance(this.reader);
    this.advancing = false;
    if (!this.gone) this.pauseOrResume();
  }
  /** The socket is not read while requests wait for others to finish, or for the device to open. */
  private pauseOrResume(): void {
    const full = this.transmission?.saturated ?? this.reader.available > 1024 * 1024;
    if (full === this.paused) return;
    this.paused = full;
    if (full) this.stream.pauseReading();
    else this.stream.resumeReading();
  }

  private choose(
    name: string,
    agreement: Agreement,
    accept: () => void,
    refuse: (reason: string) => void,
  ): void {
    const choice = this.devices.choose(name);
    if (choice === undefined) {
      refuse('no such export');
      return;
    }
    const { device, readOnly } = choice;
    device.open({ command: 'nbd', pid: process.pid }, false, false, {
      onOpened: (opener) => {
        if (this.ending) {
          opener.close();
          this.finish();
          return;
        }
        this.opener = opener;
        accept();
        const target = {
          opener,
          size: () => device.size,
          blockSize: device.blockSize,
          readOnly,
          slabs: this.slabs,
        };
        this.transmission = new Transmission(target, agreement, {
          send: (bytes) => this.send(bytes),
          sendShared: (bytes) => {
            if (!this.gone) this.stream.writeShared(bytes);
          },
          unreadBytes: () => (this.gone ? 0 : this.stream.queuedBytes),
          onEnd: () => this.end(),
          onAnswered: () => this.answered(),
        });
        this.advance();
      },
      onOpenFailed: (error) => {
        if (this.ending) return;
        refuse(openError(error));
        this.advance();
      },
    });
  }
  private answered(): void {
    if (this.ending) this.finish();
    else if (this.paused) this.advance();
  }

  /** No further request is taken; what is in flight is finished. */
  end(): void {
    if (this.ending) return;
    this.ending = true;
    this.finish();
  }
  private finish(): void {
    if ((this.transmission?.inFlight ?? 0) > 0) return;
    const { opener } = this;
    this.opener = undefined;
    opener?.close();
    if (!this.gone) this.stream.end();
    this.gone = true;
    this.onGone(this);
  }
}
