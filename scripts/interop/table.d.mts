/** Types of table.mjs, for its test. */
type Verdict = { readonly accepted: boolean; readonly says: string };
type Case = { readonly what: string; readonly input: unknown };
type Cases = Readonly<Record<string, { readonly accept: readonly Case[]; readonly refuse: readonly Case[] }>>;
type Run = (inputs: readonly unknown[]) => readonly Verdict[] | Promise<readonly Verdict[]>;

export type Checker = {
  readonly name: string;
  readonly needs: string;
  readonly checks: readonly string[];
  lacking(): readonly string[] | Promise<readonly string[]>;
  start(): Run | Promise<Run>;
};

export type Row = {
  readonly checker: string;
  readonly needs: string;
  readonly check: string;
  readonly state: "pass" | "fail" | "missing";
  readonly detail: string;
};

export function judge(checkers: readonly Checker[], cases: Cases): Promise<Row[]>;
export function summary(rows: readonly Row[], noSkip: boolean): { exitCode: number; lines: string[] };
export function format(rows: readonly Row[]): string[];
