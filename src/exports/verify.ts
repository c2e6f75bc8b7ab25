/** exoarmur/verify: everything a verifier needs, without `node:*`; runs in a browser (condition `browser`). */

export type { JsonValue } from "../canonical/jcs.js";
export { canonicalize } from "../canonical/jcs.js";
export { parseCanonical, readJson } from "../canonical/read.js";
export type { Agreement, AgreementVoice } from "../contracts/agreement.js";
export type { Cover, HiddenRole } from "../contracts/redaction.js";
export type { Trust } from "../contracts/trust.js";
export type { ReadTile, TilesAudit, TilesAuditOptions, TilesProblem } from "../log/tiles-audit.js";
export { auditTiles } from "../log/tiles-audit.js";
export type { ConsistencyClaim, InclusionClaim } from "../log/tree.js";
export { verifyConsistency, verifyInclusion } from "../log/tree.js";
export type { Readable, RedactChoice, RedactedBundle } from "../proof/redact.js";
export { redactBundle } from "../proof/redact.js";
export type { HandedIn, VerifierKey } from "../replay/agreement.js";
export { agreementOf, majorityOf, verifierKeys } from "../replay/agreement.js";
export type { CheckResult, CheckState, VerificationReport, VerificationResult } from "../verify/report.js";
export type { VerifyOptions } from "../verify/verify-bundle.js";
export { verifyBundle } from "../verify/verify-bundle.js";
export type { CallReport } from "../verify/verify-call.js";
export { isCallDisclosure, verifyCall } from "../verify/verify-call.js";
