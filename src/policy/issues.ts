import type { z } from "zod";
import { pointerOf } from "../contracts/common.js";

/** One thing that is wrong with a document: where, what was expected and what came. */
export type Problem = { readonly path: readonly PropertyKey[]; readonly pointer: string; readonly message: string };

type Issue = z.core.$ZodIssue;

/** A schema's issues as problems, in the schema's order. Of a union the alternative that came closest speaks. */
export function describeIssues(issues: readonly Issue[], document: unknown): Problem[] {
  return issues.map((issue) => {
    const { path, expected } = closest(issue);
    const got = valueAtPath(document, path);
    const came = got === undefined ? "nothing" : shorten(JSON.stringify(got));
    return { path, pointer: pointerOf(path), message: `expected ${expected}, got ${came}` };
  });
}

type Finding = { readonly path: readonly PropertyKey[]; readonly expected: string; readonly mismatch: boolean };

function closest(issue: Issue): Finding {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") {
    return { path: [...path, issue.keys[0] ?? ""], expected: "no such member", mismatch: false };
  }
  if (issue.code === "invalid_key") {
    return { path, expected: `a key that is ${expectationOf(issue.issues[0])}`, mismatch: false };
  }
  if (issue.code !== "invalid_union") {
    return { path, expected: expectationOf(issue), mismatch: issue.code === "invalid_type" && path.length === 0 };
  }
  const alternatives = issue.errors.map((errors) => judgeAlternative(errors));
  const near = alternatives.filter(({ finding }) => !finding.mismatch);
  const fitting = near.find(({ unknownMembers }) => !unknownMembers);
  if (fitting !== undefined) return within(path, fitting.finding);
  if (near.length > 0) {
    const names = new Set(near.flatMap(({ finding }) => String(finding.path[0] ?? "")));
    return { path, expected: `an object with ${listWords([...names])}`, mismatch: false };
  }
  const kinds = new Set(alternatives.map(({ finding }) => finding.expected));
  return { path, expected: listWords([...kinds]), mismatch: path.length === 0 };
}

function judgeAlternative(errors: readonly Issue[]): { finding: Finding; unknownMembers: boolean } {
  const unknownMembers = errors.some((issue) => issue.code === "unrecognized_keys" && issue.path.length === 0);
  const findings = errors.map(closest);
  const finding = findings.find(({ mismatch }) => mismatch) ?? findings[0];
  return { finding: finding ?? { path: [], expected: "something else", mismatch: true }, unknownMembers };
}

function within(path: readonly PropertyKey[], finding: Finding): Finding {
  return { path: [...path, ...finding.path], expected: finding.expected, mismatch: false };
}

/** zod's words after "expected", without what it says of the value: that is shown from the document. */
function expectationOf(issue: Issue | undefined): string {
  const message = issue?.message ?? "something else";
  const at = message.indexOf("expected ");
  const words = at < 0 ? message : message.slice(at + "expected ".length);
  const received = words.indexOf(", received");
  return (received < 0 ? words : words.slice(0, received)).replaceAll("|", ", ");
}

function listWords(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;
}

function valueAtPath(document: unknown, path: readonly PropertyKey[]): unknown {
  let value = document;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}
