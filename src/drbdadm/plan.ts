/**
 * A plan: everything one drbdadm command will do, as data (design.md section 2). Dry run prints it, the executor
 * runs it, tests compare it. Texts and words are byte strings: one character per byte.
 */
import { type TimeLimit } from './command-table';

export type Tool = 'drbdsetup' | 'drbdmeta' | 'drbd-proxy-ctl' | '/bin/sh';

/** What happens to a back end's standard error: `held` is kept and shown only if the step says so. */
export type ErrorOutput = 'shown' | 'hidden' | 'held';

/** The registry link to make when the call succeeded (drbdadm.md 4.3). */
export type Registration =
  { readonly kind: 'resource'; readonly name: string } | { readonly kind: 'minor'; readonly minor: number };

export interface BackEndCall {
  readonly tool: Tool;
  readonly words: readonly string[];
  readonly resource: string;
  readonly limit: TimeLimit;
  readonly errors: ErrorOutput;
  /** Environment on top of our own; undefined removes a variable. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly registers?: Registration;
}

/** One thing to do for a resource. Steps run in order until one has a result other than 0. */
export type Step =
  | { readonly kind: 'call'; readonly call: BackEndCall }
  | { readonly kind: 'print'; readonly text: string }
  /** Messages; with `ends` the program ends at once with the code. */
  | {
      readonly kind: 'complain';
      readonly lines: readonly string[];
      readonly code: number;
      readonly ends?: boolean;
    }
  /** `first`, and if it fails in a way that does not forbid it, `second` (drbdadm.md 7.6). */
  | {
      readonly kind: 'fall-back';
      readonly first: BackEndCall;
      /** Results of `first` that end the step, and those of them whose held messages are shown. */
      readonly finalCodes: readonly number[];
      readonly shownCodes: readonly number[];
      readonly second: readonly BackEndCall[];
      /** The second part ends with this complaint and code 10: a volume has no disk to work on. */
      readonly thenComplain?: string;
    }
  | { readonly kind: 'outdate'; readonly first: BackEndCall; readonly second: BackEndCall | undefined }
  /** drbdadm.md 7.5; `offline` is what check-resize falls back to. */
  | {
      readonly kind: 'resize';
      readonly minor: number;
      readonly size: string | undefined;
      readonly resize: BackEndCall;
      readonly check: BackEndCall;
      /** Wait until the new size is visible. */
      readonly wait: boolean;
      readonly offline: BackEndCall | 'no-disk' | undefined;
    }
  /** drbdadm.md 13.2. */
  | {
      readonly kind: 'create-md';
      readonly create: BackEndCall;
      readonly disk: string;
      readonly readUuid: BackEndCall;
      /** The random uuid is appended as last word. */
      readonly writeUuid: BackEndCall;
    }
  /** drbdadm.md 13.7. */
  | {
      readonly kind: 'wait-for-all';
      readonly calls: readonly BackEndCall[];
      readonly dialogRefresh: number;
      readonly degradedTimeout: string;
      readonly timeout: string;
      readonly firstResource: string;
    }
  | { readonly kind: 'accept-timeout'; readonly call: BackEndCall };

/** The steps for one resource, or of a command without resource. */
export interface Group {
  readonly resource?: string;
  readonly steps: readonly Step[];
  /** Once these steps were done, the program ends at once with this code: deferred work is not run. */
  readonly endsWith?: number;
}

/** Order of deferred work (drbdadm.md section 10). */
export const stages = [
  'prerequisites',
  'resource',
  'disk-down',
  'disk-up',
  'disconnect',
  'net-down',
  'net-up',
  'path',
  'net',
  'peer-device',
  'disk',
  'connect',
  'wait-connect',
] as const;
export type Stage = (typeof stages)[number];

/** One entry of the deferred list of `up` and `adjust`. */
export interface DeferredEntry {
  /** Index in the plan's list. */
  readonly id: number;
  readonly command: string;
  readonly resource: string;
  readonly stage: Stage;
  readonly steps: readonly Step[];
  /** Id of the entry that must have run, or have been cancelled, before. */
  readonly after?: number | undefined;
  /** Scheduled, but found superfluous later. */
  readonly cancelled?: boolean;
}

export interface Plan {
  readonly command: string;
  /** The command was called without resource arguments. */
  readonly bare: boolean;
  readonly groups: readonly Group[];
  readonly deferred: readonly DeferredEntry[];
  /** `adjust-with-progress`. */
  readonly progress: boolean;
}
