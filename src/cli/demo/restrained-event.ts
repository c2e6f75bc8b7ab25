import { digestOfJson } from "../../canonical/digest.js";
import type { IntentDraft } from "../../contracts/intent.js";

/** What a sensor saw on an endpoint. */
export type TelemetryEvent = {
  readonly eventId: string;
  /** RFC 3339 UTC with milliseconds. */
  readonly observedAt: string;
  readonly endpointId: string;
  readonly severity: "low" | "medium" | "high" | "critical";
  readonly kind: "process_start" | "process_end";
  readonly processName: string;
};

/** The event the demo begins with. */
export const demoEvent: TelemetryEvent = {
  eventId: "telemetry-demo-001",
  observedAt: "2026-01-31T09:00:00.000Z",
  endpointId: "endpoint-demo-001",
  severity: "high",
  kind: "process_start",
  processName: "malware.exe",
};

/** How the operator decides; `none`: not at all, until the request expires. */
export type OperatorDecision = "approve" | "deny" | "none";

/** Where the endpoint's management answers. */
export type EndpointApi = { readonly scheme: "http"; readonly host: string; readonly port: number };

/** URL of the API, without a slash at its end. */
export function apiUrl({ scheme, host, port }: EndpointApi): string {
  return `${scheme}://${host}:${port}/v1`;
}

const malicious: ReadonlySet<string> = new Set(["malware.exe"]);
const severe: ReadonlySet<string> = new Set(["high", "critical"]);

/**
 * Id of everything recorded about one run of the demo: `det-` and 32 hex digits of a digest over its inputs, so the same
 * inputs have the same id in every run.
 */
export function auditStreamId(event: TelemetryEvent, decision: OperatorDecision): string {
  const inputs = { schema: "exoarmur.restrained-autonomy-inputs/v1", event, decision };
  return `det-${digestOfJson(inputs).slice("sha256:".length, "sha256:".length + 32)}`;
}

/**
 * The detector: a known malicious process that started, with a severity that warrants it, is answered by isolating its
 * endpoint. Null: nothing is to be done. Pure; what it asks for is decided by policy, gate and operator.
 */
export function detect(event: TelemetryEvent, api: EndpointApi, correlationId: string): IntentDraft | null {
  const { eventId, endpointId, severity, kind, processName } = event;
  if (kind !== "process_start" || !severe.has(severity) || !malicious.has(processName)) return null;
  return {
    actor: { id: "restrained-autonomy", type: "agent" },
    action: "containment.isolate",
    parameters: {
      api: apiUrl(api),
      endpoint: endpointId,
      // The same event never isolates twice: endpoint and order are the executor's effect key.
      order: eventId,
      reason: `${processName} started, severity ${severity}`,
    },
    correlationId,
    idempotencyKey: `contain/${eventId}`,
    context: { actionClass: "A2_hard_containment", telemetry: { ...event } },
  };
}
