/** Dirty pages of the bitmap are written at leisure during a resync (engine.md 11.2). */
import { type Device } from '../objects';
import { type TimerWaiter } from '../ports';

const LAZY_MILLISECONDS = 2000;
/** Writes dirty pages at leisure. */
export function writeBitmapLazily(device: Device): void {
  device.io.lazyBitmapTimer ??= device.resource.host.ports.scheduler.after(
    LAZY_MILLISECONDS,
    new LazyWrite(device),
  );
}
class LazyWrite implements TimerWaiter {
  constructor(private readonly device: Device) {}
  onTimer(): void {
    this.device.io.lazyBitmapTimer = undefined;
    this.device.backing?.bitmapWriter.writeDirty();
  }
}
