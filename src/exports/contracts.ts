/** exoarmur/contracts: the shapes that cross a boundary, as zod schemas and types. */

export type { ApprovalGrant, ApprovalRequest, Preview } from "../contracts/approval.js";
export { approvalGrantSchema, approvalRequestSchema, previewSchema } from "../contracts/approval.js";
export type { ExecutionProofBundle, Predicate, Statement } from "../contracts/bundle.js";
export { bundleSchema, predicateSchema, statementSchema } from "../contracts/bundle.js";
export type { CallDisclosure } from "../contracts/call-disclosure.js";
export { callDisclosureSchema } from "../contracts/call-disclosure.js";
export type { CanonicalEvent, EventPayload, EventType, Reason } from "../contracts/event.js";
export { eventSchema } from "../contracts/event.js";
export type { ExecutionRecord, HostCall } from "../contracts/execution.js";
export { executionRecordSchema, hostCallSchema } from "../contracts/execution.js";
export type { ActionIntent, IntentDraft, Requester } from "../contracts/intent.js";
export { intentDraftSchema, intentSchema } from "../contracts/intent.js";
export type { Constraints, ExecutorManifest, Grants, Limits, ManifestDraft } from "../contracts/manifest.js";
export { grantsSchema, manifestDraftSchema, manifestSchema } from "../contracts/manifest.js";
export {
  killSwitchOrderSchema,
  policyActivationSchema,
  resolutionOrderSchema,
  trustScoreOrderSchema,
} from "../contracts/order.js";
export type { PolicyDecision, PolicyDocument, PolicyInput, PolicyRule } from "../contracts/policy.js";
export { decisionSchema, policyInputSchema, policySchema } from "../contracts/policy.js";
export type { AnyPolicy, CedarPolicy } from "../contracts/policy-cedar.js";
export { cedarPolicySchema } from "../contracts/policy-cedar.js";
export { materialsDropOrderSchema } from "../contracts/retention.js";
export type { FinalVerdict, SafetyConfig, SafetySnapshot, SafetyVerdict } from "../contracts/safety.js";
export {
  finalVerdictSchema,
  safetyConfigSchema,
  safetySnapshotSchema,
  safetyVerdictSchema,
} from "../contracts/safety.js";
export { publishedSchemas } from "../contracts/schemas.js";
export type { KeyFile, Role, Trust, TrustedKey } from "../contracts/trust.js";
export { trustSchema } from "../contracts/trust.js";
