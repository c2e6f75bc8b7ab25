import { lookup, Resolver } from "node:dns/promises";
import { parseIp } from "../../../contracts/ip-address.js";
import type { AddressResolver } from "../../../ports.js";

/** The system's own resolution, `/etc/hosts` and the like included. */
const systemResolver: AddressResolver = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/**
 * The resolution of a deployment: by these DNS servers (`address` or `address:port`, IPv6 in brackets with a port), or
 * as the system does it when there are none.
 */
export function resolverOf(dnsServers: readonly string[] | undefined): AddressResolver {
  if (dnsServers === undefined) return systemResolver;
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  resolver.setServers(dnsServers);
  return async (host) => {
    const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const found = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    if (found.length === 0) throw new Error("no address");
    return found;
  };
}

/** The addresses of a URL's host: itself if it is one, else what the resolver says. */
export async function addressesOf(host: string, resolve: AddressResolver): Promise<readonly string[]> {
  return parseIp(host) === null ? await resolve(host) : [host];
}
