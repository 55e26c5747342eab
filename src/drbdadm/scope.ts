import { type Config, type Connection, type Path, type Resource, type Volume } from '../config/model';
import { type CallSettings } from './calls';

/** What a command works on; which fields are set depends on what the command iterates. */
export interface Scope {
  readonly config: Config;
  readonly settings: CallSettings;
  readonly resource: Resource;
  readonly volume?: Volume;
  /** The connection iterated over. */
  readonly connection?: Connection;
  readonly path?: Path;
  /** The connection named on the command line. */
  readonly named?: Connection;
  /** -S was given. */
  readonly stackedMode: boolean;
  /** Connections of the resource that this run is about. */
  readonly connections: readonly Connection[];
}

export interface VolumeScope extends Scope {
  readonly volume: Volume;
}
