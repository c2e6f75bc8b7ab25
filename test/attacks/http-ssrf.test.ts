import { describe, expect, it } from "vitest";
import { attack, place, serve, serveDns } from "../support/http.js";

// A guest, or a name server in league with it, that wants to reach what its grant does not name. Every server here is
// really there, so that a request that gets out is seen.

const inside = await serve((_seen, response) => response.end("inside"));
const { port } = inside;
const open = [place(port, { host: "*.evil.test" }), place(port)].map(({ networks: _, ...allow }) => allow);

/** Addresses of the names under evil.test; the first label is the address with dashes. */
const dns = await serveDns((name) => [(name.split(".")[0] ?? "").replaceAll("-", ".").replaceAll("_", ":")]);
const options = { dnsServers: [dns.server] };

describe("a URL that means another place than it says", () => {
  const allow = [place(port)];

  it.each([
    ["user information before the host", `http://127.0.0.1@10.0.0.1:${port}/`],
    ["user information that looks like a port", `http://a:${port}@127.0.0.1:${port}/`],
    ["a decimal address", `http://2130706433:${port}/`],
    ["an octal address", `http://0177.0.0.1:${port}/`],
    ["a hexadecimal address", `http://0x7f.0.0.1:${port}/`],
    ["a shortened address", `http://127.1:${port}/`],
    ["an address with leading noughts", `http://127.000.000.001:${port}/`],
    ["the loopback of IPv6", `http://[::1]:${port}/`],
    ["an IPv4-mapped address", `http://[::ffff:127.0.0.1]:${port}/`],
    ["an IPv4-mapped address in hexadecimal", `http://[::ffff:7f00:1]:${port}/`],
    ["an IPv6 address with a zone", `http://[fe80::1%25eth0]:${port}/`],
    ["an address with a dot behind it", `http://127.0.0.1.:${port}/`],
    ["digits beyond ASCII", `http://１２７.0.0.1:${port}/`],
    ["a backslash instead of a slash", `http://127.0.0.1:${port}\\@10.0.0.1/`],
    ["a line end", `http://127.0.0.1:${port}/ HTTP/1.1\r\nhost: other`],
    ["another scheme", `file:///etc/passwd`],
    ["dots in the path", `http://127.0.0.1:${port}/v1/../admin`],
  ])("%s", async (_, url) => {
    const { end } = await attack({}, { allow }, { url });
    expect(end).toBe("denied EXO_CAPABILITY_DENIED");
    expect(inside.seen).toEqual([]);
  });
});

describe("an address that is not public, granted by name alone", () => {
  it.each([
    ["loopback", "127-0-0-1"],
    ["loopback beyond its first", "127-255-255-254"],
    ["this host", "0-0-0-0"],
    ["a private network", "10-0-0-1"],
    ["another private network", "172-31-255-255"],
    ["a third private network", "192-168-0-1"],
    ["carrier-grade NAT", "100-64-0-1"],
    ["link-local", "169-254-1-1"],
    ["the metadata service", "169-254-169-254"],
    ["the credentials of a container", "169-254-170-2"],
    ["Azure's host agent", "168-63-129-16"],
    ["multicast", "224-0-0-1"],
    ["broadcast", "255-255-255-255"],
    ["IPv6 loopback", "__1"],
    ["IPv4-mapped loopback", "__ffff_127-0-0-1"],
    ["IPv4-mapped public", "__ffff_8-8-8-8"],
    ["IPv4-compatible loopback", "__127-0-0-1"],
    ["NAT64 of a private address", "64_ff9b__10-0-0-1"],
    ["6to4 of a private address", "2002_a00_1__"],
    ["Teredo", "2001_0_808_808__f5ff_fffe"],
    ["unique local", "fd00__1"],
    ["the metadata service of IPv6", "fd00_ec2__254"],
    ["link-local of IPv6", "fe80__1"],
    ["site-local of IPv6", "fec0__1"],
    ["multicast of IPv6", "ff02__1"],
    ["unassigned", "4000__1"],
  ])("%s", async (_, label) => {
    const { end, message } = await attack(options, { allow: open }, { url: `http://${label}.evil.test:${port}/` });
    expect(end).toBe("denied EXO_CAPABILITY_DENIED");
    // What a name means inside of a network is nothing a guest may learn.
    expect(message).not.toMatch(/\d+\.\d+|::/);
    expect(inside.seen).toEqual([]);
  });

  it("an address instead of a name", async () => {
    const { end } = await attack({}, { allow: open }, { url: `http://127.0.0.1:${port}/` });
    expect(end).toBe("denied EXO_CAPABILITY_DENIED");
    expect(inside.seen).toEqual([]);
  });

  it("a name of the machine itself", async () => {
    const { networks: _, ...local } = place(port, { host: "localhost" });
    expect((await attack({}, { allow: [local] }, { url: `http://localhost:${port}/` })).end).toBe(
      "denied EXO_CAPABILITY_DENIED",
    );
    expect(inside.seen).toEqual([]);
  });

  it("one network that is granted is not another", async () => {
    const allow = [place(port, { host: "*.evil.test", networks: ["private", "link_local", "shared"] })];
    for (const label of ["127-0-0-1", "169-254-169-254", "__ffff_10-0-0-1"]) {
      const { end } = await attack(options, { allow }, { url: `http://${label}.evil.test:${port}/` });
      expect([label, end]).toEqual([label, "denied EXO_CAPABILITY_DENIED"]);
    }
    expect(inside.seen).toEqual([]);
  });
});

describe("a name server that changes its mind", () => {
  it("is asked once, and the address it gave is the one that is reached", async () => {
    const server = await serve((_seen, response) => response.end("first"));
    const rebinding = await serveDns((_name, count) => (count === 0 ? ["127.0.0.1"] : ["10.0.0.1"]));
    const allow = [place(server.port, { host: "a.evil.test" })];
    const url = `http://a.evil.test:${server.port}/`;
    expect((await attack({ dnsServers: [rebinding.server] }, { allow }, { url })).end).toBe("ok 200 first");
    expect(rebinding.asked.sort()).toEqual(["A a.evil.test", "AAAA a.evil.test"]);
    // The next call is judged by the next answer.
    const next = await attack({ dnsServers: [rebinding.server] }, { allow }, { url });
    expect(next.end).toBe("denied EXO_CAPABILITY_DENIED");
    expect(server.seen).toHaveLength(1);
  });

  it("between a redirect and the request that follows it is refused there", async () => {
    const server = await serve((_seen, response) => response.writeHead(307, { location: "/next" }).end("moved"));
    const rebinding = await serveDns((_name, count) => (count === 0 ? ["127.0.0.1"] : ["169.254.169.254"]));
    const allow = [place(server.port, { host: "a.evil.test" })];
    const url = `http://a.evil.test:${server.port}/`;
    expect((await attack({ dnsServers: [rebinding.server] }, { allow }, { url })).end).toBe("ok 307 moved");
    expect(server.seen).toHaveLength(1);
  });

  it("in one answer: a granted address beside one that is not is refused whole", async () => {
    const server = await serve((_seen, response) => response.end("mixed"));
    const mixed = await serveDns(() => ["127.0.0.1", "10.0.0.1"]);
    const allow = [place(server.port, { host: "a.evil.test" })];
    const url = `http://a.evil.test:${server.port}/`;
    expect((await attack({ dnsServers: [mixed.server] }, { allow }, { url })).end).toBe("denied EXO_CAPABILITY_DENIED");
    const six = await serveDns(() => ["127.0.0.1", "fd00:ec2::254"]);
    expect((await attack({ dnsServers: [six.server] }, { allow }, { url })).end).toBe("denied EXO_CAPABILITY_DENIED");
    expect(server.seen).toEqual([]);
  });

  it("to text that is no address", async () => {
    const server = await serve((_seen, response) => response.end("odd"));
    const allow = [place(server.port, { host: "a.evil.test", networks: ["loopback", "reserved", "embedded"] })];
    for (const address of ["127.1", "2130706433", "fe80::1%lo", "localhost", ""]) {
      const resolve = () => Promise.resolve([address]);
      const { end } = await attack({ resolve }, { allow }, { url: `http://a.evil.test:${server.port}/` });
      expect([address, end]).toEqual([address, "denied EXO_CAPABILITY_DENIED"]);
    }
    expect(server.seen).toEqual([]);
  });
});
