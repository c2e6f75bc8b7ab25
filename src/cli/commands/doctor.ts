import { readFlags } from "../../contracts/features.js";
import { openHome } from "../../home/open.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { diagnoseHome } from "../diagnose-home.js";
import { diagnoseIsolation } from "../diagnose-isolation.js";
import { diagnoseMachine } from "../diagnose-machine.js";
import type { Diagnosis } from "../diagnosis.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { formatTable, printJson } from "../output.js";
import { withProgress } from "../progress.js";

/**
 * `doctor`: looks at machine, home and flags, changing nothing. Exit code 1 when a line says fail. With `--prove` it tries
 * the guarantees instead.
 */
export async function doctor(context: CliContext, _args: readonly string[], options: Options): Promise<ExitCode> {
  if (hasFlag(options, "prove")) return await (await import("./doctor-prove.js")).doctorProve(context, options);
  const dir = homeDir(context, textOption(options, "home"));
  const checks = await withProgress(context, "looking", diagnose(context, dir));
  const states = new Set(checks.map((check) => check.state));
  const result = states.has("fail") ? "fail" : states.has("warn") ? "warn" : "ok";
  if (hasFlag(options, "json")) printJson(context, { schema: "exoarmur.doctor/v1", home: dir, result, checks });
  else {
    const rows = checks.map(({ id, state, code, message }) => [
      state,
      id,
      code === undefined ? message : `${code}: ${message}`,
    ]);
    context.stdout(formatTable(rows));
  }
  return result === "fail" ? exitCodes.refused : exitCodes.done;
}

async function diagnose(context: CliContext, dir: string): Promise<Diagnosis[]> {
  const machine = await diagnoseMachine();
  const home = await diagnoseHome(context, dir);
  const resolved = await openHome(dir).then(
    (opened) => opened.resolved,
    () => undefined,
  );
  const isolation = await diagnoseIsolation(resolved?.sandbox ?? {});
  const flags = readFlags(context.env, resolved?.features ?? {}).map(
    ({ name, feature, on, source, problem }): Diagnosis => {
      const id = `flag ${feature}`;
      if (problem !== null) return { id, state: "fail", ...problem };
      return { id, state: "ok", message: `${name} is ${on ? "on" : "off"} (${source})` };
    },
  );
  return [...machine, isolation, ...home, ...flags];
}
