/** Parts of the program that are bundles of their own, found by the bundler: most commands do not read them. */
type Tools = typeof import('./in-process-tools');
type More = typeof import('./more-commands');
type Programs = typeof import('./other-programs');

export interface OtherBundles {
  /** The back ends that run in this process. */
  tools(): Tools;
  /** Our own commands, and what `help` says beyond the real tool's. */
  more(): More;
  /** What runs other programs. */
  programs(): Programs;
}

let bundles: OtherBundles = {
  tools: () => require('./in-process-tools') as Tools,
  more: () => require('./more-commands') as More,
  programs: () => require('./other-programs') as Programs,
};

/** For a program that has been made out of a start-up snapshot, where `require` finds Node's modules only. */
export function loadBundlesWith(loader: OtherBundles): void {
  bundles = loader;
}

export function inProcessTools(): Tools {
  return bundles.tools();
}

export function moreCommands(): More {
  return bundles.more();
}

export function otherPrograms(): Programs {
  return bundles.programs();
}
