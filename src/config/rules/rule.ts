import { type ConfigDraft, type HostDraft, type ResourceDraft } from '../drafts';
import { type Address } from '../model';
import { type Reporter } from '../report';
import { type UniqueKeys } from '../unique-keys';

/** What a rule works on. Rules also complete the model where the real tool does so while checking. */
export interface Checking {
  readonly config: ConfigDraft;
  readonly report: Reporter;
  readonly keys: UniqueKeys;
  readonly nodeName: string;
  readonly matchProxyOnly: boolean;
  /** The text of `drbdsetup show`. */
  readonly showDialect: boolean;
  readonly isLocalAddress: (address: Address) => boolean;
}

/** One semantic rule; rules/index.ts lists them in the order of the real tool. */
export interface Rule {
  /** The prefix of the identifiers of its diagnostics. */
  readonly id: string;
  readonly check: (checking: Checking) => void;
}

/** Names of a host section as messages show them; a stacked section has none before its lower resource is known. */
export function hostNames(host: HostDraft): string {
  return host.names.length === 0 ? 'UNKNOWN' : host.names.join(' ');
}

export function resourcePlace(resource: ResourceDraft): string {
  return `${resource.origin.file}:${resource.origin.line}: `;
}
