// Addresses of new-path and del-path (drbdsetup.md 2.3).
import dns from 'node:dns';
import net from 'node:net';
import { type AddressFamily, type SocketAddress } from '../control/contract/snapshot';
import { CommandExit } from './io';

const DEFAULT_PORT = 7788;

interface Endpoint {
  readonly family: AddressFamily;
  readonly host: string;
  readonly port: number;
}

function splitIpv6(text: string, warn: (text: string) => void): Omit<Endpoint, 'family'> {
  const bracketed = /^\[([^\]]*)\](?::([0-9]+))?$/.exec(text);
  if (bracketed !== null) return { host: bracketed[1] ?? '', port: Number(bracketed[2] ?? DEFAULT_PORT) };
  const bare = /^([^[\]]*):([0-9]+)$/.exec(text);
  if (bare === null) throw new CommandExit(20, `unexpected ipv6 format: ${text}\n`);
  const [, host = '', port = ''] = bare;
  warn(`interpreting ipv6:${host}:${port} as ipv6:[${host}]:${port}\n`);
  return { host, port: Number(port) };
}

/** Splits `[local:|peer:][FAMILY:]HOST[:PORT]`; warnings go to `warn`. Throws CommandExit. */
export function splitAddress(text: string, warn: (text: string) => void): Endpoint {
  const withoutSide = text.replace(/^(?:local|peer):/, '');
  const prefix = /^(ipv4|ipv6|sdp|ssocks):/.exec(withoutSide);
  const rest = withoutSide.slice(prefix?.[0].length ?? 0);
  if (prefix?.[1] === 'ipv6') return { family: 'ipv6', ...splitIpv6(rest, warn) };
  const family = prefix?.[1] === 'sdp' || prefix?.[1] === 'ssocks' ? prefix[1] : 'ipv4';
  if (family === 'ssocks') {
    warn(
      'open(/proc/net/af_ssocks/family) failed: No such file or directory\n' +
        ' WARNING: assuming AF_SSOCKS = 27. Socket creation may fail.\n',
    );
  }
  const [, host = rest, port] = /^(.*?):([0-9]+)$/.exec(rest) ?? [];
  return { family, host, port: port === undefined ? DEFAULT_PORT : Number(port) };
}

const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: 'Name or service not known',
  EAI_AGAIN: 'Temporary failure in name resolution',
};

/** A numeric address; names are looked up. Throws CommandExit. */
export async function resolveAddress(text: string, warn: (text: string) => void): Promise<SocketAddress> {
  const endpoint = splitAddress(text, warn);
  const { family, host } = endpoint;
  const version = family === 'ipv6' ? 6 : 4;
  if (net.isIP(host.replace(/%.*$/, '')) === version) return endpoint;
  try {
    const { address } = await dns.promises.lookup(host, { family: version });
    return { ...endpoint, host: address };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    throw new CommandExit(
      20,
      version === 4
        ? `can not resolve the hostname: gethostbyname(${host}): Unknown host\n`
        : `getaddrinfo ${host}: ${reasons[code] ?? code}\n`,
    );
  }
}
