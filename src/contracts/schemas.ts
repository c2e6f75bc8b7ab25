import type { z } from "zod";
import { challengeSchema, tokenSchema } from "./access.js";
import { agreementSchema } from "./agreement.js";
import { approvalGrantSchema, approvalRequestSchema, previewSchema } from "./approval.js";
import { backtestSchema } from "./backtest.js";
import { bundleSchema, statementSchema } from "./bundle.js";
import { callDisclosureSchema } from "./call-disclosure.js";
import { configSchema } from "./config.js";
import { counterfactualSchema } from "./counterfactual.js";
import { eventSchema } from "./event.js";
import { executionRecordSchema, hostCallSchema } from "./execution.js";
import { intentDraftSchema, intentSchema } from "./intent.js";
import { grantsSchema, manifestDraftSchema, manifestSchema } from "./manifest.js";
import { noticeSchema } from "./notice.js";
import {
  killSwitchOrderSchema,
  policyActivationSchema,
  resolutionOrderSchema,
  trustScoreOrderSchema,
} from "./order.js";
import { pluginCaseSchema, pluginProjectSchema } from "./plugin-project.js";
import { decisionSchema, policyInputSchema, policySchema } from "./policy.js";
import { policyCasesSchema } from "./policy-cases.js";
import { cedarPolicySchema } from "./policy-cedar.js";
import { pluginAdmissionSchema } from "./publisher.js";
import { reExecutionSchema } from "./re-execution.js";
import { referenceReplaySchema } from "./reference-event.js";
import { replayReportSchema } from "./replay-report.js";
import { materialsDropOrderSchema } from "./retention.js";
import { finalVerdictSchema, safetyConfigSchema, safetySnapshotSchema, safetyVerdictSchema } from "./safety.js";
import { shadowReportSchema, shadowStatementSchema } from "./shadow.js";
import { signedIntentSchema } from "./signed-intent.js";
import { trustSchema } from "./trust.js";

/** Every published contract by name; spec/schemas holds the JSON Schema generated from each. */
export const publishedSchemas: Readonly<Record<string, z.ZodType>> = {
  "exoarmur.intent.v1": intentSchema,
  "exoarmur.intent-draft.v1": intentDraftSchema,
  "exoarmur.policy.v1": policySchema,
  "exoarmur.policy.cedar.v1": cedarPolicySchema,
  "exoarmur.policy-cases.v1": policyCasesSchema,
  "exoarmur.policy-input.v1": policyInputSchema,
  "exoarmur.policy-decision.v1": decisionSchema,
  "exoarmur.safety-config.v1": safetyConfigSchema,
  "exoarmur.safety-snapshot.v1": safetySnapshotSchema,
  "exoarmur.safety-verdict.v1": safetyVerdictSchema,
  "exoarmur.final-verdict.v1": finalVerdictSchema,
  "exoarmur.approval-request.v1": approvalRequestSchema,
  "exoarmur.approval-grant.v1": approvalGrantSchema,
  "exoarmur.preview.v1": previewSchema,
  "exoarmur.grants.v1": grantsSchema,
  "exoarmur.executor.v1": manifestSchema,
  "exoarmur.executor-draft.v1": manifestDraftSchema,
  "exoarmur.execution.v1": executionRecordSchema,
  "exoarmur.host-call.v1": hostCallSchema,
  "exoarmur.call-disclosure.v1": callDisclosureSchema,
  "exoarmur.event.v1": eventSchema,
  "exoarmur.plugin-project.v1": pluginProjectSchema,
  "exoarmur.plugin-case.v1": pluginCaseSchema,
  "exoarmur.plugin-admission.v1": pluginAdmissionSchema,
  "exoarmur.kill-switch.v1": killSwitchOrderSchema,
  "exoarmur.notification.v1": noticeSchema,
  "exoarmur.materials-drop.v1": materialsDropOrderSchema,
  "exoarmur.policy-activation.v1": policyActivationSchema,
  "exoarmur.resolution.v1": resolutionOrderSchema,
  "exoarmur.trust-score.v1": trustScoreOrderSchema,
  "exoarmur.trust.v1": trustSchema,
  "exoarmur.control-challenge.v1": challengeSchema,
  "exoarmur.signed-intent.v1": signedIntentSchema,
  "exoarmur.token.v1": tokenSchema,
  "exoarmur.config.v1": configSchema,
  "exoarmur.statement.v1": statementSchema,
  "exoarmur.proof.v1": bundleSchema,
  "exoarmur.replay.v1": replayReportSchema,
  "exoarmur.re-execution.v1": reExecutionSchema,
  "exoarmur.agreement.v1": agreementSchema,
  "exoarmur.reference-replay.v1": referenceReplaySchema,
  "exoarmur.backtest.v1": backtestSchema,
  "exoarmur.shadow-decision.v1": shadowStatementSchema,
  "exoarmur.shadow-report.v1": shadowReportSchema,
  "exoarmur.counterfactual.v1": counterfactualSchema,
};
