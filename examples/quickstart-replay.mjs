// One recorded CanonicalEvent in an in-memory audit store, replayed. No home, no sandbox, no keys.
import { createEvent, eventAuditSource, ReplayEngine } from "exoarmur";

const event = createEvent({
  eventId: "01K5Z0000000000000000QS001",
  eventType: "kill_switch_changed",
  actor: { id: "operator", type: "operator" },
  correlationId: "quickstart-correlation",
  recordedAt: "2026-01-01T00:00:00.000Z",
  payload: { scope: "global", tenantId: null, on: false, epoch: 1, envelopeDigest: null },
});

const engine = new ReplayEngine({ auditStore: eventAuditSource([event]) });
const report = await engine.replayCorrelation("quickstart-correlation");

console.log(`Replay result: ${report.result}`);
console.log(`Failures: ${report.failures.length === 0 ? "none" : report.failures.join("; ")}`);
