import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { canonicalText } from "../../canonical/jcs.js";
import { parseTime } from "../../canonical/time.js";
import type { Config } from "../../contracts/config.js";
import type { PolicyDocument } from "../../contracts/policy.js";
import type { Trust } from "../../contracts/trust.js";
import { encodeUtf8 } from "../../crypto/encoding.js";
import { sha256 } from "../../crypto/sha256.js";
import { writeAtomic } from "../../home/atomic.js";
import { createHome } from "../../home/create.js";
import type { HomePaths } from "../../home/paths.js";
import type { Clock, Entropy } from "../../ports.js";
import { readPackagePlugins } from "../bundled-plugins.js";
import { endpointApi } from "./restrained-endpoint.js";
import { demoEvent } from "./restrained-event.js";
import { clearDemo, markDemo } from "./workspace.js";

/** How long a request waits for an operator, in seconds. */
export const approvalSeconds = 900;

const reach = {
  scheme: endpointApi.scheme,
  host: endpointApi.host,
  port: endpointApi.port,
  methods: ["POST" as const],
  pathPrefix: "/v1/endpoints",
  networks: ["loopback" as const],
};

const config: Config = {
  schema: "exoarmur.config/v1",
  tenantId: "default",
  cellId: "local",
  roots: {},
  grants: { containment: { http_request: { allow: [reach] } } },
  sandbox: { workers: 1 },
  features: {
    v2_federation_enabled: true,
    v2_control_plane_enabled: true,
    v2_operator_approval_required: true,
  },
};

const policy: PolicyDocument = {
  schema: "exoarmur.policy/v1",
  policyId: "restrained-autonomy",
  version: 1,
  rules: [
    {
      id: "containment-needs-an-operator",
      match: { action: "containment.isolate", target: { prefix: "endpoint-" } },
      verdict: "require_approval",
      rationale: "isolating an endpoint cuts people off from their work",
      obligations: { approvals: 1, roles: ["operator"], expiresInSeconds: approvalSeconds },
    },
  ],
};

/** A clock that stands still until it is moved: how long anything really takes reaches no record. */
export type DemoClock = Clock & { advance(seconds: number): void };

/** The demo's clock, at the time of the telemetry event. */
export function demoClock(): DemoClock {
  let now = parseTime(demoEvent.observedAt);
  return {
    now: () => now,
    advance: (seconds) => {
      now += seconds * 1000;
    },
  };
}

/**
 * Bytes that are the same in every run. They make the demo's keys too, so that its records are: whoever has this source
 * has those keys, and they must be trusted for nothing but the demo.
 */
export function demoEntropy(use: string): Entropy {
  let counter = 0;
  return {
    bytes: (length) => {
      const out = new Uint8Array(length);
      for (let at = 0; at < length; at += 32) {
        const block = sha256(encodeUtf8(`exoarmur demo restrained-autonomy/${use}/${counter++}`));
        out.set(block.subarray(0, Math.min(32, length - at)), at);
      }
      return out;
    },
  };
}

/** Makes the demo's home afresh; any other folder there is left alone with EXO_HOME_EXISTS. */
export async function makeRestrainedHome(home: string): Promise<HomePaths> {
  await clearDemo(home);
  // createHome makes the folder of a root; this demo has no files, so it goes again.
  const data = join(dirname(home), `${basename(home)}.none`);
  const created = await createHome(home, {
    entropy: demoEntropy("keys"),
    bundledPlugins: await readPackagePlugins(["containment"]),
    dataPath: `./${basename(data)}`,
  });
  const { paths } = created;
  await markDemo(home);
  await rm(data, { recursive: true });
  await writeAtomic(paths.config, `${JSON.stringify(config, null, 2)}\n`);
  await writeAtomic(paths.policy, `${JSON.stringify(policy, null, 2)}\n`);
  await writeAtomic(paths.trust, canonicalText(withOperator(created.trust)));
  return paths;
}

/** The approver key is an operator's, who may give the approvals that ask for one. */
function withOperator(trust: Trust): Trust {
  const keys = trust.keys.map((key) =>
    key.role === "approver" ? { ...key, person: "operator-demo-001", roles: ["operator"] } : key,
  );
  return { ...trust, keys };
}
