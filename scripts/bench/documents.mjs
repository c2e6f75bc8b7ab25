/** Policy decisions and canonical documents. */
import { canonicalize } from "../../dist/canonical/jcs.js";
import { parseCanonical } from "../../dist/canonical/read.js";
import { compilePolicy } from "../../dist/policy/compile.js";
import { evaluatePolicy } from "../../dist/policy/evaluate.js";
import { repeatedly } from "./measure.mjs";
import { draft, policyOf } from "./parts.mjs";
import { row } from "./table.mjs";

/** A decision of a policy of 100 rules of which the last one matches. */
export function policyRows({ quick }) {
  const policy = compilePolicy(policyOf(100));
  const intent = { ...draft, tenantId: "default", target: "data/orders.csv" };
  const subject = { intent, requester: { principal: "library", method: "library" }, effects: "none" };
  if (evaluatePolicy(policy, subject).verdict !== "allow") throw new Error("the last rule should have matched");
  const { p50, p99 } = repeatedly(quick ? 200 : 1000, () => evaluatePolicy(policy, subject));
  return [row("decision, 100 rules", { value: p50, unit: "us", p99, target: "<= 5 us", reached: p50 <= 5 })];
}

/** A document like the ones the pipeline hashes. */
const document = {
  schema: "exoarmur.intent/v1",
  intentId: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
  actor: { type: "agent", id: "report-agent" },
  parameters: {
    path: "data/orders.csv",
    columns: ["amount", "region"],
    limit: 12_000,
    ratio: 0.25,
    nested: { b: null, a: true },
  },
  materials: Array.from({ length: 20 }, (_none, index) => ({
    role: "event",
    digest: `sha256:${String(index).padStart(64, "0")}`,
  })),
};

/** Writing and reading canonical JSON beside the engine's own. */
export function canonicalRows({ quick }) {
  const ms = quick ? 200 : 1000;
  const bytes = canonicalize(document);
  const text = new TextDecoder().decode(bytes);
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  const stringify = repeatedly(ms, () => encoder.encode(JSON.stringify(document)));
  const write = repeatedly(ms, () => canonicalize(document));
  const parse = repeatedly(ms, () => JSON.parse(decoder.decode(bytes)));
  const read = repeatedly(ms, () => parseCanonical(bytes));
  const size = `${text.length} bytes`;
  return [
    row("JSON.stringify and encode", { value: stringify.p50, unit: "us", p99: stringify.p99, note: size }),
    row("canonicalize", {
      value: write.p50,
      unit: "us",
      p99: write.p99,
      ratio: write.p50 / stringify.p50,
      peer: "JSON.stringify",
    }),
    row("decode and JSON.parse", { value: parse.p50, unit: "us", p99: parse.p99, note: size }),
    row("parseCanonical", {
      value: read.p50,
      unit: "us",
      p99: read.p99,
      ratio: read.p50 / parse.p50,
      peer: "JSON.parse",
    }),
  ];
}
