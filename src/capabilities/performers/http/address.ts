import type { NetworkClass } from "../../../contracts/http.js";
import { type IpAddress, parseIp } from "../../../contracts/ip-address.js";

/** A row: addresses of a prefix, their class, and where in them IPv4 addresses are carried (first byte of each). */
type Row = readonly [prefix: string, network: NetworkClass | "public", carried?: readonly Carried[]];

/** `at`: first of four bytes. `inverted`: every bit of them is turned, as Teredo does. */
type Carried = { readonly at: number; readonly inverted?: true };

/**
 * IPv4: metadata services first, then the special-purpose registry of IANA (RFC 6890 and after); first match counts.
 * What the registry calls globally reachable serves protocols other than HTTP and is reserved all the same.
 */
const rows4: readonly Row[] = [
  ["169.254.169.254/32", "metadata"], // AWS, Google, Azure, OpenStack and others
  ["169.254.170.2/32", "metadata"], // AWS container credentials
  ["169.254.170.23/32", "metadata"], // AWS pod identity
  ["100.100.100.200/32", "metadata"], // Alibaba
  ["192.0.0.192/32", "metadata"], // Oracle
  ["168.63.129.16/32", "metadata"], // Azure's host agent, of a public range
  ["0.0.0.0/8", "reserved"], // this network
  ["10.0.0.0/8", "private"],
  ["100.64.0.0/10", "shared"], // carrier-grade NAT
  ["127.0.0.0/8", "loopback"],
  ["169.254.0.0/16", "link_local"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "reserved"], // IETF protocol assignments
  ["192.0.2.0/24", "reserved"], // documentation
  ["192.31.196.0/24", "reserved"], // AS112
  ["192.52.193.0/24", "reserved"], // AMT
  ["192.88.99.0/24", "reserved"], // 6to4 relays
  ["192.168.0.0/16", "private"],
  ["192.175.48.0/24", "reserved"], // AS112
  ["198.18.0.0/15", "reserved"], // benchmarks
  ["198.51.100.0/24", "reserved"], // documentation
  ["203.0.113.0/24", "reserved"], // documentation
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved"], // future use and broadcast
  ["0.0.0.0/0", "public"],
];

/** IPv6: the same, and of the rest only 2000::/3 is global unicast. */
const rows6: readonly Row[] = [
  ["fd00:ec2::254/128", "metadata"], // AWS
  ["fd00:ec2::23/128", "metadata"], // AWS pod identity
  ["fd20:ce::254/128", "metadata"], // Google
  ["::/128", "reserved"], // unspecified
  ["::1/128", "loopback"],
  ["::ffff:0.0.0.0/96", "embedded", [{ at: 12 }]], // IPv4-mapped
  ["::ffff:0:0.0.0.0/96", "embedded", [{ at: 12 }]], // IPv4-translated
  ["::/96", "embedded", [{ at: 12 }]], // IPv4-compatible
  ["64:ff9b::/96", "embedded", [{ at: 12 }]], // NAT64
  ["64:ff9b:1::/48", "reserved"], // NAT64 of a local form: what it carries cannot be known
  ["100::/64", "reserved"], // discard
  ["100:0:0:1::/64", "reserved"], // dummy prefix
  ["2001::/32", "embedded", [{ at: 4 }, { at: 12, inverted: true }]], // Teredo: its server and its client
  ["2001::/23", "reserved"], // IETF protocol assignments: benchmarks, AMT, AS112, ORCHID
  ["2001:db8::/32", "reserved"], // documentation
  ["2002::/16", "embedded", [{ at: 2 }]], // 6to4
  ["2620:4f:8000::/48", "reserved"], // AS112
  ["3fff::/20", "reserved"], // documentation
  ["5f00::/16", "reserved"], // segment routing
  ["fc00::/7", "private"],
  ["fe80::/10", "link_local"],
  ["fec0::/10", "private"], // site-local, of old
  ["ff00::/8", "multicast"],
  ["2000::/3", "public"],
  ["::/0", "reserved"],
];

type Rule = {
  readonly base: IpAddress;
  readonly bits: number;
  readonly network: NetworkClass | "public";
  readonly carried: readonly Carried[];
};

const rules: ReadonlyMap<number, readonly Rule[]> = new Map([
  [4, rows4.map(ruleOf)],
  [16, rows6.map(ruleOf)],
]);

function ruleOf([prefix, network, carried = []]: Row): Rule {
  const [address = "", bits] = prefix.split("/");
  const base = parseIp(address);
  if (base === null) throw new TypeError(`the table of addresses has ${prefix}, which is none`);
  return { base, bits: Number(bits), network, carried };
}

/**
 * Every class an address has beside public, sorted: none for a public one, two or more for one that carries an IPv4
 * address (`::ffff:127.0.0.1` is embedded and loopback). null for what is no address, which nothing permits.
 */
export function classesOf(text: string): readonly NetworkClass[] | null {
  const address = parseIp(text);
  return address === null ? null : [...new Set(classes(address))].sort();
}

function classes(address: IpAddress): readonly NetworkClass[] {
  const rule = rules.get(address.length)?.find(({ base, bits }) => isInside(address, base, bits));
  if (rule === undefined) return ["reserved"];
  if (rule.network === "public") return [];
  const inner = rule.carried.map(({ at, inverted }) =>
    address.slice(at, at + 4).map((byte) => (inverted ? byte ^ 0xff : byte)),
  );
  return [rule.network, ...inner.flatMap(classes)];
}

function isInside(address: IpAddress, base: IpAddress, bits: number): boolean {
  for (const [index, byte] of base.entries()) {
    const left = Math.min(8, bits - index * 8);
    if (left <= 0) return true;
    if ((byte ^ (address[index] ?? 0)) >> (8 - left) !== 0) return false;
  }
  return true;
}

/** True for two texts of one address, such as `::1` and `0:0:0:0:0:0:0:1`. False for anything that is none. */
export function isSameAddress(a: string, b: string): boolean {
  const left = parseIp(a);
  const right = parseIp(b);
  return left !== null && right !== null && left.join() === right.join();
}
