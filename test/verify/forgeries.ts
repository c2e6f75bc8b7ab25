import { attestationForgeries } from "./forgeries-attestation.js";
import { executionForgeries } from "./forgeries-execution.js";
import { approvalForgeries, governanceForgeries } from "./forgeries-governance.js";
import { shapeForgeries, signatureForgeries } from "./forgeries-integrity.js";
import { logForgeries } from "./forgeries-log.js";
import { publisherForgeries } from "./forgeries-publisher.js";
import type { Forgery } from "./forgery.js";

/** Every forgery, in the order of the checks they are about. */
export const allForgeries: readonly Forgery[] = [
  ...signatureForgeries,
  ...shapeForgeries,
  ...governanceForgeries,
  ...approvalForgeries,
  ...executionForgeries,
  ...logForgeries,
  ...publisherForgeries,
  ...attestationForgeries,
];
