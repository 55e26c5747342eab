/** Graceful and forced detach (engine.md 9.2). */
import { ErrorCode, isSuccess, StateCode } from '../../control/contract/codes';
import { DiskState } from '../../control/contract/states';
import { type Device } from '../objects';
import { openersOf } from '../roles/opener-texts';
import { changeState } from '../state/transaction';
import { whenStateChanges } from '../state/waiters';
import { changeClusterWide, type ChangeDone } from '../twopc/coordinator';
import { changeWord } from '../twopc/change-words';

export interface DetachOptions {
  readonly force: boolean;
  /** Become an intentional client. */
  readonly diskless: boolean;
  readonly tag: string;
}

export function detach(device: Device, options: DetachOptions, done: ChangeDone): void {
  const { resource } = device;
  const before = device.options;
  device.options = { ...before, intentionalDiskless: options.diskless };
  if (options.force) {
    device.forceDetach = true;
    changeState(resource, { tag: options.tag, hard: true }, () => {
      device.next.disk = DiskState.Detaching;
    });
    return done(StateCode.Success, []);
  }
  // What was acknowledged may be on this disk only, above all without protocol C: the peers go on without it.
  const goOn = resource.host.dataActions.drainWrites(device, () => {
    detachGracefully(device, options.tag, (code, infoTexts) => {
      goOn();
      if (code === StateCode.IsDiskless) return done(StateCode.NothingToDo, infoTexts);
      if (!isSuccess(code)) {
        device.options = before;
        const held = code === StateCode.NoUpToDateDisk;
        return done(code, held ? [...infoTexts, ...openersOf(device)] : infoTexts);
      }
      whenDiskless(device, () => done(ErrorCode.NoError, infoTexts));
    });
  });
}

function detachGracefully(device: Device, tag: string, done: ChangeDone): void {
  changeClusterWide(
    device.resource,
    {
      kind: 'change',
      options: { tag, verbose: true },
      volume: device.vnr,
      target: undefined,
      edit: () => {
        device.next.disk = DiskState.Detaching;
      },
      word: () => changeWord({ disk: DiskState.Detaching }),
    },
    done,
  );
}

/** The disk is released, closed and no longer claimed. */
function whenDiskless(device: Device, done: () => void): void {
  const gone = (): boolean => device.now.disk === DiskState.Diskless && device.backing === undefined;
  if (gone()) return done();
  whenStateChanges(device.resource, () => {
    if (!gone()) return false;
    done();
    return true;
  });
}
