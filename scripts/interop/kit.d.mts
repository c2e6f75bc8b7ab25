/** Types of kit.mjs, for its test. */
import type { Row } from "./table.mjs";

type Graded = { readonly about: string; readonly verdict: string };
type Exceptions = readonly { readonly why: string; readonly vectors: readonly string[] }[];

export function gradeKit(
  vectors: readonly Graded[],
  verdicts: readonly string[],
  exceptions: Exceptions,
): Pick<Row, "state" | "detail">;
export function kitRow(): Promise<Row>;
