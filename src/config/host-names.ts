/**
 * Host names compare ignoring case; unless both have a domain, only the parts before the first dot count
 * (config-language.md 7.5).
 */
export function sameHost(a: string, b: string): boolean {
  if (a === b) return true;
  const dotA = a.indexOf('.');
  const dotB = b.indexOf('.');
  const both = dotA >= 0 && dotB >= 0;
  const nameA = both || dotA < 0 ? a : a.slice(0, dotA);
  const nameB = both || dotB < 0 ? b : b.slice(0, dotB);
  return nameA.toLowerCase() === nameB.toLowerCase();
}

export function isLocalName(name: string, nodeName: string): boolean {
  return sameHost(name, nodeName);
}
