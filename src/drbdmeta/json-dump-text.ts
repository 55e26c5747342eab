export function jsonDumpAsText(
  pull: () => string | undefined,
  _fail: (message: string) => never,
): () => string | undefined {
  return pull;
}
