/** A decision under Cedar beside what Cedar's own module takes for the same question. */
import { requestOf } from "../../dist/policy/cedar/request.js";
import { compileProgram } from "../../dist/policy/program.js";
import { loadCedar } from "../../dist/runtime/cedar.js";
import { median, quantile } from "./measure.mjs";
import { draft } from "./parts.mjs";
import { row } from "./table.mjs";

const own = `action "test.echo" appliesTo {
  principal: Actor, resource: [Target, Cell], context: { request: Request, parameters: { text: String } } };`;

/** A hundred policies of which one holds. */
const policies = Array.from(
  { length: 100 },
  (_none, at) =>
    `@id("p${at}") permit(principal, action == Action::"test.echo", resource in Target::"data") when { principal.type == "${at === 50 ? "agent" : `nobody-${at}`}" };`,
).join("\n");

/**
 * Both answer the same question in turn, so that whatever else the machine does falls on both; the ratio is that of the
 * pairs. What a decision adds is the mapping of the intent, the order of what determined it and what the annotations say.
 */
export async function cedarRows({ quick }) {
  const engine = await loadCedar();
  const module = await import("@cedar-policy/cedar-wasm/nodejs");
  const document = {
    schema: "exoarmur.policy.cedar/v1",
    policyId: "bench",
    version: 1,
    cedarSchema: own,
    policies,
  };
  const program = compileProgram(document, engine);
  const intent = { ...draft, tenantId: "default", cellId: "local", target: "data/orders.csv" };
  const subject = { intent, requester: { principal: "library", method: "library" }, effects: "none" };
  if (program.evaluate(subject).ruleIds.join() !== "p50") throw new Error("one policy should have determined it");
  // The first policy set of this engine lies in its first place.
  const call = {
    ...requestOf(subject, new Map()),
    preparsedSchemaName: "exoarmur-0",
    preparsedPolicySetId: "exoarmur-0",
    validateRequest: true,
  };
  const bare = () => module.statefulIsAuthorized(call);
  if (bare().response?.diagnostics.reason.join() !== "p50") throw new Error("the bare module should answer the same");
  const samples = { bare: [], ours: [] };
  const time = (work, into) => {
    const start = performance.now();
    work();
    into?.push((performance.now() - start) * 1000);
  };
  for (const [ms, kept] of [
    [quick ? 100 : 500, false],
    [quick ? 400 : 3000, true],
  ]) {
    for (const end = performance.now() + ms; performance.now() < end; ) {
      time(bare, kept ? samples.bare : undefined);
      time(() => program.decide(subject), kept ? samples.ours : undefined);
    }
  }
  const ratio = median(samples.ours) / median(samples.bare);
  return [
    row("Cedar alone, 100 policies", { value: median(samples.bare), unit: "us", p99: quantile(samples.bare, 0.99) }),
    row("decision under Cedar", {
      value: median(samples.ours),
      unit: "us",
      p99: quantile(samples.ours, 0.99),
      ratio,
      peer: "Cedar alone",
      target: "<= 1.10x",
      reached: ratio <= 1.1,
    }),
  ];
}
