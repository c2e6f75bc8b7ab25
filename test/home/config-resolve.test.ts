import { describe, expect, it } from "vitest";
import { type Config, configSchema } from "../../src/contracts/config.js";
import { resolveConfig } from "../../src/home/config-resolve.js";
import { homePaths } from "../../src/home/paths.js";
import { faultOf } from "./support.js";

const paths = homePaths("/srv/app/.exoarmur");
const base: Config = {
  schema: "exoarmur.config/v1",
  tenantId: "t",
  cellId: "c",
  roots: { data: { path: "./data", access: "read" } },
  grants: {},
  features: {},
};

describe("resolveConfig", () => {
  it("takes paths from the folder that holds the home, absolute ones as they are", () => {
    const roots = {
      a: { path: "./data", access: "read" as const },
      b: { path: "../b", access: "write" as const },
      c: { path: "/var/c", access: "read" as const },
    };
    expect(resolveConfig({ ...base, roots }, paths).roots).toEqual({
      a: { path: "/srv/app/data", access: "read" },
      b: { path: "/srv/b", access: "write" },
      c: { path: "/var/c", access: "read" },
    });
  });

  it("lays safety over the defaults", () => {
    const budgets = { runs: { limit: 3, windowSeconds: 60 } };
    const { safety } = resolveConfig({ ...base, safety: { sources: { cellLoad: "off" }, budgets } }, paths);
    expect(safety).toEqual({
      schema: "exoarmur.safety-config/v1",
      sources: { trustScore: "state", cellLoad: "off", networkHealth: "off" },
      budgets,
    });
    expect(resolveConfig(base, paths).safety.budgets).toEqual({});
  });

  it("takes the file of authorities from the folder that holds the home, and the DNS servers as they are", async () => {
    expect(resolveConfig(base, paths).http).toEqual({});
    const dnsServers = ["192.0.2.53", "127.0.0.1:5353", "2001:db8::53", "[2001:db8::53]:53"];
    const http = { dnsServers, caFile: "./certs/ca.pem" };
    expect(configSchema.safeParse({ ...base, http }).success).toBe(true);
    expect(resolveConfig({ ...base, http }, paths).http).toEqual({ dnsServers, caFile: "/srv/app/certs/ca.pem" });
    const fault = await faultOf(() => resolveConfig({ ...base, http: { caFile: "a\0b" } }, paths));
    expect([fault.code, fault.place.pointer]).toEqual(["EXO_SCHEMA", "/http/caFile"]);
  });

  it.each([
    "localhost",
    "1.2.3",
    "1.2.3.4:0",
    "1.2.3.4:65536",
    "1.2.3.4:053",
    "[1.2.3.4]x",
    "[::1",
    "::1%lo",
    "dns.example:53",
    "",
  ])("takes %j for no DNS server", (server) => {
    expect(configSchema.safeParse({ ...base, http: { dnsServers: [server] } }).success).toBe(false);
  });

  it("names each tenant once, its own first", () => {
    expect(resolveConfig({ ...base, tenants: ["u", "t", "u"] }, paths).tenants).toEqual(["t", "u"]);
  });

  it("keeps grants by executor and capability, and gives no others", () => {
    const grants = { fs: { fs_read: { roots: ["data"], maxBytes: 5 } } };
    expect(resolveConfig({ ...base, grants }, paths).grants).toEqual(grants);
    expect(resolveConfig(base, paths).sandbox).toEqual({});
    expect(resolveConfig({ ...base, sandbox: { workers: 2 } }, paths).sandbox).toEqual({ workers: 2 });
  });

  it.each(["dat", "__proto__", "constructor"])("refuses a grant for the unknown root %s", async (root) => {
    const fault = await faultOf(() =>
      resolveConfig({ ...base, grants: { fs: { fs_read: { roots: ["data", root] } } } }, paths),
    );
    expect(fault.code).toBe("EXO_SCHEMA");
    expect(fault.place.pointer).toBe("/grants/fs/fs_read/roots/1");
    expect(fault.message).toBe(
      `${paths.config}: /grants/fs/fs_read/roots/1: expected a name under /roots (data), got "${root}"`,
    );
  });
});
