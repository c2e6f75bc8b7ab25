import type { Logger } from "../ports.js";
import type { CliContext } from "./context.js";
import { visible } from "./output.js";

/** Logs warnings and errors to stderr, and the rest too under EXOARMUR_DEBUG=1. */
export function createStderrLogger(context: CliContext): Logger {
  const all = context.env["EXOARMUR_DEBUG"] === "1";
  return {
    log: (level, message, fields = {}) => {
      if (!all && level !== "warn" && level !== "error") return;
      const rest = Object.keys(fields).length === 0 ? "" : ` ${JSON.stringify(fields)}`;
      context.stderr(`${level}: ${visible(message + rest)}\n`);
    },
  };
}
