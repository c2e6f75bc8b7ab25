/**
 * The floors of src, as data. A place is a path inside src without its ending: a folder ("crypto"), a file ("runtime")
 * or the start of a file's name ("crypto/backend-node"). A later floor may import an earlier one, never its own or above.
 */
export const floors = [
  ["errors", "ports"],
  ["crypto"],
  ["canonical"],
  ["contracts"],
  ["policy", "safety", "approval", "wasm", "log"],
  ["proof", "verify", "capabilities", "sandbox", "stores", "home"],
  ["pipeline"],
  ["replay"],
  ["control", "client", "adapters", "federation"],
  ["runtime"],
  ["index", "exports"],
  ["cli", "web"],
];

const roots = ["runtime", "index", "exports", "cli", "web"];

/** Who alone may import these places; each may always import itself. */
export const closedPlaces = {
  cli: [],
  control: ["cli"],
  sandbox: roots,
  stores: roots,
  home: roots,
  "capabilities/perform": roots,
  "crypto/backend": ["crypto"],
};

/** Who alone may import these packages; a name ending in / stands for everything that starts with it. */
export const closedPackages = {
  "node:crypto": ["crypto"],
  "@noble/": ["crypto"],
  "#crypto": ["crypto"],
  "@cfworker/json-schema": ["contracts/json-schema-check"],
  "@extism/": ["sandbox"],
  "age-encryption": ["home"],
  lmdb: ["stores"],
  pg: ["stores"],
  "@nats-io/": ["stores"],
  undici: ["capabilities/perform"],
  "@cedar-policy/": ["runtime/cedar", "web/cedar"],
  commander: ["cli"],
  preact: ["web"],
  hono: ["control"],
  "@hono/": ["control"],
};

/** Places that may import `node:*` and use Buffer; everything else runs in a browser. */
export const nodePlaces = [
  "crypto/backend-node",
  "sandbox/guest-worker",
  "sandbox/node",
  "sandbox/pool",
  "sandbox/process",
  "sandbox/scheduler",
  "sandbox/thread",
  "sandbox/worker",
  "stores",
  "home",
  "capabilities/perform",
  "control",
  "runtime",
  "cli",
];

const worldPlaces = ["home", "runtime", "cli", "control"];

/** What makes a run differ from its replay: pattern, where it may be used, what to use instead. */
export const ambient = [
  [/\bDate\s*(?:\?\.|\.)\s*now\b|\bDate\s*\[|\bnew\s+Date\b|\bDate\s*\(/g, [...worldPlaces, "web"], "take a Clock"],
  [/\bperformance\s*\.\s*\w+|\bhrtime\b/g, ["cli", "web"], "take a Clock"],
  [/\bMath\s*\.\s*random\b|\bMath\s*\[/g, [], "take Entropy or an IdSource"],
  [
    /\bgetRandomValues\b|\brandom(?:UUID|Bytes|Int|FillSync)\b/g,
    ["crypto", "runtime", "cli", "web"],
    "take Entropy or an IdSource",
  ],
  [/(?<![.\w$])process\s*(?:\?\.|[.[])/g, [...worldPlaces, "sandbox"], "take it as a parameter"],
  [/(?<![.\w$])globalThis\b/g, ["crypto", "sandbox/worker", "web"], "name the global, so that it can be judged"],
  [
    /(?<![.\w$])(?:setTimeout|setInterval|setImmediate)\b|\bAbortSignal\s*\.\s*timeout\b/g,
    ["sandbox", "capabilities/perform", "stores", ...worldPlaces, "client", "web"],
    "take a signal",
  ],
  [/\.\s*(?:localeCompare|toLocale\w*)\b|(?<![.\w$])Intl\b/g, ["cli", "web"], "compare code units"],
  [/(?<![.\w$])Buffer\b/g, nodePlaces, "use Uint8Array"],
  [/(?<![.\w$])(?:require|createRequire|eval)\s*\(|\bnew\s+Function\b/g, [], "use an import with a literal name"],
];
