import type { AttestationFacts } from "../../../src/contracts/attestation.js";
import type { PolicyRule } from "../../../src/contracts/policy.js";
import type { CedarPolicy } from "../../../src/contracts/policy-cedar.js";
import type { subjectOf } from "../helpers.js";
import { schemaOf } from "./support.js";

/** One policy said twice, and what both must decide. */
export type Group = {
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  readonly cedar: Pick<CedarPolicy, "cedarSchema" | "policies" | "entities">;
  readonly cases: readonly Case[];
};

/** `ids`: what determined it, where both languages name the same. */
type Case = {
  readonly name: string;
  readonly of: Parameters<typeof subjectOf>[0];
  readonly attestations?: readonly AttestationFacts[];
  readonly verdict: "allow" | "deny" | "require_approval" | "defer";
  readonly ids?: readonly string[];
};

const digest = (fill: string): AttestationFacts["digest"] => `sha256:${fill.repeat(64)}`;
const attestation = (attester: string, subject: string, predicateType = "https://slsa.dev/provenance/v1") => ({
  digest: digest("0"),
  predicateType,
  subjects: [{ digest: digest(subject) }],
  signers: [{ attester, keyId: "0".repeat(32) }],
});

const denied = { verdict: "deny", ids: ["default"] } as const;

/** The conformance suite of both languages: more is refused than let through. */
export const groups: readonly Group[] = [
  {
    name: "files",
    rules: [
      {
        id: "no-secrets",
        match: { action: "fs.*", target: { under: "data/secret" } },
        verdict: "deny",
      },
      { id: "read", match: { action: "fs.read", target: { under: "data" } }, verdict: "allow" },
      {
        id: "remove",
        match: { action: "fs.remove", target: { under: "data" } },
        verdict: "require_approval",
        obligations: { approvals: 2, roles: ["approver", "security"], expiresInSeconds: 600 },
      },
      { id: "later", match: { action: "fs.list" }, verdict: "defer" },
    ],
    cedar: {
      cedarSchema: schemaOf(["fs.read", "fs.remove", "fs.list"]),
      policies: `
        @id("no-secrets") forbid(principal, action in Action::"fs", resource in Target::"data/secret");
        @id("read") permit(principal, action == Action::"fs.read", resource in Target::"data");
        @id("remove") @verdict("require_approval") @approvals("2") @roles("approver, security") @expires_in_seconds("600")
        permit(principal, action == Action::"fs.remove", resource in Target::"data");
        @id("later") @verdict("defer") permit(principal, action == Action::"fs.list", resource);`,
    },
    cases: [
      { name: "a file under the folder", of: { action: "fs.read" }, verdict: "allow", ids: ["read"] },
      { name: "the folder itself", of: { action: "fs.read", target: "data" }, verdict: "allow", ids: ["read"] },
      { name: "what a person must approve", of: {}, verdict: "require_approval", ids: ["remove"] },
      { name: "what is deferred", of: { action: "fs.list" }, verdict: "defer", ids: ["later"] },
      {
        name: "a folder that is forbidden",
        of: { action: "fs.read", target: "data/secret/k" },
        verdict: "deny",
        ids: ["no-secrets"],
      },
      {
        name: "the forbidden folder itself",
        of: { action: "fs.remove", target: "data/secret" },
        verdict: "deny",
        ids: ["no-secrets"],
      },
      {
        name: "a name that begins like the forbidden one is not it",
        of: { action: "fs.read", target: "data/secrets" },
        verdict: "allow",
      },
      { name: "a folder that begins like the allowed one", of: { action: "fs.read", target: "database/x" }, ...denied },
      { name: "another root", of: { action: "fs.read", target: "tmp/data/x" }, ...denied },
      { name: "the folder above", of: { action: "fs.read", target: "dat" }, ...denied },
      { name: "a path that climbs", of: { action: "fs.read", target: "data/../etc/passwd" }, verdict: "deny" },
      {
        name: "a path that climbs into what is forbidden",
        of: { action: "fs.read", target: "data/x/../secret" },
        verdict: "deny",
      },
      { name: "an empty segment", of: { action: "fs.read", target: "data//x" }, verdict: "deny" },
      { name: "a backslash", of: { action: "fs.read", target: "data\\x" }, verdict: "deny" },
      { name: "an absolute path", of: { action: "fs.read", target: "/data/x" }, ...denied },
      { name: "a URL that names the folder", of: { action: "fs.read", target: "https://data/x" }, ...denied },
      { name: "another case", of: { action: "fs.read", target: "Data/x" }, ...denied },
      { name: "no target", of: { action: "fs.read", target: undefined }, verdict: "deny" },
      { name: "an action nobody speaks of", of: { action: "http.get" }, ...denied },
      { name: "an action under one that is known", of: { action: "fs.read.all" }, ...denied },
    ],
  },
  {
    name: "who asks",
    rules: [
      {
        id: "ours",
        match: {
          tenant: "default",
          actor: { id: ["ana", "ben"], type: "agent" },
          executor: "fs",
          action: "fs.remove",
        },
        verdict: "allow",
      },
    ],
    cedar: {
      cedarSchema: schemaOf(["fs.remove"]),
      entities: [
        { uid: { type: "Actor", id: "ana" }, attrs: {}, parents: [{ type: "Group", id: "ops" }] },
        { uid: { type: "Actor", id: "ben" }, attrs: {}, parents: [{ type: "Group", id: "night" }] },
        { uid: { type: "Group", id: "night" }, attrs: {}, parents: [{ type: "Group", id: "ops" }] },
        { uid: { type: "Actor", id: "cy" }, attrs: {}, parents: [{ type: "Group", id: "guests" }] },
      ],
      policies: `
        @id("ours") permit(principal in Group::"ops", action == Action::"fs.remove", resource) when {
          context.request.tenant == "default" && principal.type == "agent" &&
          context.request has executor && context.request.executor == "fs" };`,
    },
    cases: [
      { name: "a member", of: { actor: { id: "ana", type: "agent" } }, verdict: "allow", ids: ["ours"] },
      {
        name: "a member of a group inside",
        of: { actor: { id: "ben", type: "agent" } },
        verdict: "allow",
        ids: ["ours"],
      },
      { name: "a member of another group", of: { actor: { id: "cy", type: "agent" } }, ...denied },
      { name: "a stranger", of: { actor: { id: "dot", type: "agent" } }, ...denied },
      { name: "one called like the group", of: { actor: { id: "ops", type: "agent" } }, ...denied },
      { name: "another sort of actor", of: { actor: { id: "ana", type: "person" } }, ...denied },
      { name: "another case", of: { actor: { id: "Ana", type: "agent" } }, ...denied },
      { name: "another tenant", of: { actor: { id: "ana", type: "agent" }, tenantId: "other" }, ...denied },
      { name: "another executor", of: { actor: { id: "ana", type: "agent" }, executor: { name: "fs2" } }, ...denied },
      { name: "no executor", of: { actor: { id: "ana", type: "agent" }, executor: undefined }, ...denied },
    ],
  },
  {
    name: "parameters",
    rules: [
      { id: "huge", match: { parameters: { "/count": { min: 1000 } } }, verdict: "deny" },
      {
        id: "few",
        match: { parameters: { "/count": { min: 1, max: 10 }, "/mode": { in: ["soft", "dry"] }, "/deep/flag": true } },
        verdict: "allow",
      },
    ],
    cedar: {
      cedarSchema: schemaOf(["fs.remove"], "count: Long, mode?: String, deep?: { flag?: Bool }"),
      policies: `
        @id("huge") forbid(principal, action, resource) when { context.parameters.count >= 1000 };
        @id("few") permit(principal, action, resource) when {
          context.parameters.count >= 1 && context.parameters.count <= 10 &&
          context.parameters has mode && ["soft", "dry"].contains(context.parameters.mode) &&
          context.parameters has deep.flag && context.parameters.deep.flag };`,
    },
    cases: [
      {
        name: "all as asked",
        of: { parameters: { count: 10, mode: "dry", deep: { flag: true } } },
        verdict: "allow",
        ids: ["few"],
      },
      {
        name: "the lower bound",
        of: { parameters: { count: 1, mode: "soft", deep: { flag: true } } },
        verdict: "allow",
        ids: ["few"],
      },
      { name: "below the bound", of: { parameters: { count: 0, mode: "dry", deep: { flag: true } } }, ...denied },
      { name: "above the bound", of: { parameters: { count: 11, mode: "dry", deep: { flag: true } } }, ...denied },
      { name: "far above it", of: { parameters: { count: 1000, mode: "dry" } }, verdict: "deny", ids: ["huge"] },
      { name: "another text", of: { parameters: { count: 5, mode: "hard", deep: { flag: true } } }, ...denied },
      { name: "another case", of: { parameters: { count: 5, mode: "Dry", deep: { flag: true } } }, ...denied },
      { name: "false", of: { parameters: { count: 5, mode: "dry", deep: { flag: false } } }, ...denied },
      { name: "a missing inner one", of: { parameters: { count: 5, mode: "dry", deep: {} } }, ...denied },
      { name: "a missing outer one", of: { parameters: { count: 5, mode: "dry" } }, ...denied },
      {
        name: "a number as text",
        of: { parameters: { count: "5", mode: "dry", deep: { flag: true } } },
        verdict: "deny",
      },
      { name: "a large number as text does not slip by", of: { parameters: { count: "1000" } }, verdict: "deny" },
      { name: "a list of one", of: { parameters: { count: 5, mode: ["dry"], deep: { flag: true } } }, verdict: "deny" },
      {
        name: "text for a truth value",
        of: { parameters: { count: 5, mode: "dry", deep: { flag: "true" } } },
        verdict: "deny",
      },
      { name: "the one that must not be large missing", of: { parameters: { mode: "dry" } }, verdict: "deny" },
    ],
  },
  {
    name: "URLs",
    rules: [
      {
        id: "api",
        match: { target: { url: { scheme: "https", host: "api.example.com", port: 443, path: "/v1/orders" } } },
        verdict: "allow",
      },
      { id: "dev", match: { target: { url: { host: "localhost", port: 8080 } } }, verdict: "allow" },
      { id: "prefix", match: { target: { prefix: "urn:doc:" } }, verdict: "allow" },
    ],
    cedar: {
      cedarSchema: schemaOf(["fs.remove"]),
      policies: `
        @id("api") permit(principal, action, resource in Target::"https://api.example.com/v1/orders");
        @id("dev") permit(principal, action, resource is Target) when {
          resource has host && resource.host == "localhost" && resource has port && resource.port == 8080 };
        @id("prefix") permit(principal, action, resource is Target) when { resource.text like "urn:doc:*" };`,
    },
    cases: [
      { name: "the path", of: { target: "https://api.example.com/v1/orders" }, verdict: "allow", ids: ["api"] },
      { name: "below it", of: { target: "https://api.example.com/v1/orders/7" }, verdict: "allow", ids: ["api"] },
      { name: "with a query", of: { target: "https://api.example.com/v1/orders?q=1" }, verdict: "allow", ids: ["api"] },
      { name: "with a slash", of: { target: "https://api.example.com/v1/orders/" }, verdict: "allow", ids: ["api"] },
      { name: "a port that is written", of: { target: "http://localhost:8080/x" }, verdict: "allow", ids: ["dev"] },
      { name: "a beginning", of: { target: "urn:doc:7" }, verdict: "allow", ids: ["prefix"] },
      { name: "a path that begins like it", of: { target: "https://api.example.com/v1/orders2" }, ...denied },
      { name: "the path above", of: { target: "https://api.example.com/v1" }, ...denied },
      { name: "another scheme", of: { target: "http://api.example.com/v1/orders" }, ...denied },
      { name: "another host", of: { target: "https://api.example.com.evil.test/v1/orders" }, ...denied },
      { name: "a user in front", of: { target: "https://x@api.example.com/v1/orders" }, ...denied },
      { name: "another port", of: { target: "https://api.example.com:444/v1/orders" }, ...denied },
      { name: "the usual port written", of: { target: "https://api.example.com:443/v1/orders" }, ...denied },
      { name: "a path that climbs", of: { target: "https://api.example.com/v1/orders/../x" }, ...denied },
      { name: "an encoded slash", of: { target: "https://api.example.com/v1/orders%2Fx" }, ...denied },
      { name: "upper case", of: { target: "https://API.example.com/v1/orders" }, ...denied },
      { name: "the usual port where another is asked for", of: { target: "http://localhost/x" }, ...denied },
      { name: "a beginning elsewhere", of: { target: "x/urn:doc:7" }, ...denied },
    ],
  },
  {
    name: "attestations",
    rules: [
      {
        id: "built",
        match: {
          attestation: {
            predicateType: "https://slsa.dev/provenance/v1",
            attester: "builder",
            subject: { parameter: "/artifact" },
          },
        },
        verdict: "allow",
      },
    ],
    cedar: {
      cedarSchema: schemaOf(["fs.remove"], "artifact: String"),
      policies: `
        @id("built") permit(principal, action, resource) when { context.request.attestations.contains({
          predicateType: "https://slsa.dev/provenance/v1", attester: "builder", subject: context.parameters.artifact }) };`,
    },
    cases: [
      {
        name: "by the builder, of this",
        of: { parameters: { artifact: digest("a") } },
        attestations: [attestation("builder", "a")],
        verdict: "allow",
        ids: ["built"],
      },
      {
        name: "one of several",
        of: { parameters: { artifact: digest("a") } },
        attestations: [attestation("other", "b"), attestation("builder", "a")],
        verdict: "allow",
        ids: ["built"],
      },
      { name: "none", of: { parameters: { artifact: digest("a") } }, ...denied },
      {
        name: "of something else",
        of: { parameters: { artifact: digest("a") } },
        attestations: [attestation("builder", "b")],
        ...denied,
      },
      {
        name: "by another",
        of: { parameters: { artifact: digest("a") } },
        attestations: [attestation("other", "a")],
        ...denied,
      },
      {
        name: "of another sort",
        of: { parameters: { artifact: digest("a") } },
        attestations: [attestation("builder", "a", "https://x.test/v1")],
        ...denied,
      },
      {
        name: "who and what in two of them",
        of: { parameters: { artifact: digest("a") } },
        attestations: [attestation("builder", "b"), attestation("other", "a")],
        ...denied,
      },
      {
        name: "no digest asked for",
        of: { parameters: { artifact: "latest" } },
        attestations: [attestation("builder", "a")],
        ...denied,
      },
    ],
  },
  {
    name: "nothing",
    rules: [],
    cedar: { cedarSchema: schemaOf(["fs.remove"]), policies: "" },
    cases: [{ name: "is denied", of: {}, ...denied }],
  },
];
