import { clipText } from "../../canonical/clip-text.js";
import type { Clock, Entropy, Logger, Performer, PerformOutcome } from "../../ports.js";
import { textOf } from "../schemas.js";

/** clock_now: `{ms}`, milliseconds since the Unix epoch. */
export function createClockPerformer(clock: Clock): { readonly clock_now: Performer } {
  return { clock_now: { perform: () => done({ ms: clock.now() }) } };
}

/** random_bytes: `{bytes}`, as many as the request's `length`. */
export function createRandomPerformer(entropy: Entropy): { readonly random_bytes: Performer } {
  return { random_bytes: { perform: (request) => done({ bytes: entropy.bytes(Number(request["length"])) }) } };
}

/**
 * log: hands the guest's line to the logger as data and answers `{}`. The text is cut to 1,024 characters and characters
 * that steer a terminal are shown as escapes; the transcript has the line as it was.
 */
export function createLogPerformer(logger: Logger): { readonly log: Performer } {
  return {
    log: {
      perform: (request) => {
        logger.log(levelOf(request["level"]), "guest log", { message: visible(textOf(request, "message")) });
        return done({});
      },
    },
  };
}

function levelOf(level: unknown): "debug" | "info" | "warn" | "error" {
  return level === "info" || level === "warn" || level === "error" ? level : "debug";
}

/** Control characters, line separators and the marks that turn the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: showing them is the point
const steering = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

function visible(message: string): string {
  return clipText(message, 1024).replace(steering, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function done(value: Extract<PerformOutcome, { outcome: "ok" }>["value"]): PerformOutcome {
  return { outcome: "ok", value };
}
