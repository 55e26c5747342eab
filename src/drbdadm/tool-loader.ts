/** Where the back ends that run in this process come from: a bundle of its own, which most commands do not need. */
type Tools = typeof import('./in-process-tools');

/** Found by the bundler, which makes a file of its own of it. */
let load = (): Tools => require('./in-process-tools') as Tools;

/** For a program that has been made out of a start-up snapshot, where `require` finds Node's modules only. */
export function loadToolsWith(loader: () => Tools): void {
  load = loader;
}

export function inProcessTools(): Tools {
  return load();
}
