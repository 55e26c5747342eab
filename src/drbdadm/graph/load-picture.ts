type Picture = typeof import('./svg-picture');

/** A bundle of its own, found by the bundler: nothing else reads it. */
export function loadPicture(): Picture {
  return require('./svg-picture') as Picture;
}
