import { describe, expect, it } from "vitest";
import type { PolicyDocument, PolicyRule } from "../../../src/contracts/policy.js";
import { policyChanges } from "../../../src/web/console/policies-diff.js";

const rule = (id: string, more: Partial<PolicyRule> = {}): PolicyRule => ({
  ...{ id, match: { action: "fs.read" }, verdict: "allow" },
  ...more,
});
const policy = (...rules: PolicyRule[]): PolicyDocument => ({
  ...{ schema: "exoarmur.policy/v1", policyId: "p", version: 1 },
  rules,
});
const cedar = (policies: string) =>
  ({ schema: "exoarmur.policy.cedar/v1", policyId: "p", version: 1, cedarSchema: "s", policies }) as const;

describe("what differs between two policies", () => {
  it("nothing, where only the version differs", () => {
    expect(policyChanges(policy(rule("a"), rule("b")), { ...policy(rule("a"), rule("b")), version: 2 })).toEqual({
      ...{ kind: "rules", changes: [], same: 2 },
    });
  });

  it("rules that are new, gone, or say something else; the rest is counted", () => {
    const before = policy(rule("same"), rule("gone"), rule("changed", { rationale: "x" }));
    const after = policy(
      rule("new", { verdict: "require_approval", obligations: { approvals: 2 } }),
      rule("same"),
      rule("changed", { match: { action: "fs.*" }, rationale: "x" }),
    );
    expect(policyChanges(before, after)).toEqual({
      kind: "rules",
      same: 1,
      changes: [
        {
          ...{ kind: "added", id: "new" },
          lines: [
            { sign: "+", text: "require approval" },
            { sign: "+", text: "where action fs.read" },
            { sign: "+", text: "asks for 2 approvals" },
          ],
        },
        {
          ...{ kind: "changed", id: "changed" },
          lines: [
            { sign: "-", text: "where action fs.read" },
            { sign: "+", text: "where action fs.*" },
          ],
        },
        {
          ...{ kind: "removed", id: "gone" },
          lines: [
            { sign: "-", text: "allow" },
            { sign: "-", text: "where action fs.read" },
          ],
        },
      ],
    });
  });

  it("two rules that changed places, since the first that matches decides; an added one moves nobody", () => {
    const kinds = (before: PolicyDocument, after: PolicyDocument): string[] => {
      const found = policyChanges(before, after);
      return found.kind === "rules" ? found.changes.map(({ kind, id }) => `${kind} ${id}`) : [];
    };
    expect(kinds(policy(rule("a"), rule("b"), rule("c")), policy(rule("b"), rule("a"), rule("c")))).toEqual([
      ...["moved b", "moved a"],
    ]);
    expect(kinds(policy(rule("a"), rule("b")), policy(rule("x"), rule("a"), rule("b")))).toEqual(["added x"]);
    expect(kinds(policy(rule("x"), rule("a"), rule("b")), policy(rule("a"), rule("b")))).toEqual(["removed x"]);
  });

  it("a change behind the cut of a long rationale is not passed over", () => {
    const long = "y".repeat(500);
    const found = policyChanges(
      policy(rule("a", { rationale: `${long}1` })),
      policy(rule("a", { rationale: `${long}2` })),
    );
    expect(found).toMatchObject({
      changes: [{ kind: "changed", lines: [{ text: "what differs is in the documents alone" }] }],
    });
  });

  it("names and texts of others are shown whole", () => {
    const found = policyChanges(policy(), policy(rule("r\u202E", { match: { target: "a\u200Bb" } })));
    expect(found).toMatchObject({
      changes: [{ id: "r\\u{202E}", lines: [{ text: "allow" }, { text: "where target a\\u{200B}b" }] }],
    });
  });

  it("Cedar's text by its lines; a policy of the other language is wholly new", () => {
    expect(policyChanges(cedar("a\nb\nc"), cedar("a\nx\u202E\nc"))).toEqual({
      kind: "text",
      lines: [
        { sign: "-", text: "b" },
        { sign: "+", text: "x\\u{202E}" },
      ],
    });
    expect(policyChanges(cedar("a"), cedar("a"))).toEqual({ kind: "text", lines: [] });
    const other = policyChanges(policy(rule("a")), cedar("a"));
    expect(other.kind === "text" && other.lines.map(({ sign, text }) => `${sign}${text}`)).toEqual([
      ...["-a", "-allow", "-where action fs.read", "+a", "+s"],
    ]);
  });
});
