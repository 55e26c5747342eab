import { type Origin } from './model';
import { type Reporter } from './report';

/**
 * The two tables behind "conflicting use of" (config-language.md 6): one for the whole configuration, one that starts
 * anew with each resource. Keys compare bytewise.
 */
export class UniqueKeys {
  private readonly global = new Map<string, Origin>();
  private local = new Map<string, Origin>();
  private readonly hosts = {
    'device-minor': new Map<string, Map<string | number, Origin>>(),
    device: new Map<string, Map<string | number, Origin>>(),
    disk: new Map<string, Map<string | number, Origin>>(),
  };

  constructor(
    private readonly report: Reporter,
    private readonly enabled: boolean,
  ) {}

  /** What a host has only once: `WHAT:HOST:KEY` among everything that is read. */
  claimOfHost(
    what: 'device-minor' | 'device' | 'disk',
    host: string,
    key: string | number,
    origin: Origin,
  ): void {
    if (!this.enabled) return;
    const hosts = this.hosts[what];
    let table = hosts.get(host);
    if (table === undefined) {
      table = new Map();
      hosts.set(host, table);
    }
    const first = table.get(key);
    if (first === undefined) table.set(key, origin);
    else this.conflict(what, `${what}:${host}:${key}`, origin, first);
  }

  /** The error of two places that claim the same. */
  conflict(what: string, key: string, origin: Origin, first: Origin): void {
    if (!this.enabled) return;
    this.report.fatal(
      'conflict',
      origin,
      `${origin.display}:${origin.line}: conflicting use of ${what} '${key}' ...\n` +
        `${first.display}:${first.line}: ${what} '${key}' first used here.`,
    );
  }

  startResource(): void {
    if (this.local.size > 0) this.local = new Map();
  }

  /** Unique among everything that is read. */
  claim(what: string, key: string, origin: Origin): void {
    this.insert(this.global, what, key, origin);
  }

  /** Unique within the current resource. */
  claimInResource(what: string, key: string, origin: Origin): void {
    this.insert(this.local, what, key, origin);
  }

  private insert(table: Map<string, Origin>, what: string, key: string, origin: Origin): void {
    if (!this.enabled) return;
    const first = table.get(key);
    if (first === undefined) {
      table.set(key, origin);
      return;
    }
    this.conflict(what, key, origin, first);
  }
}
