import { type ErrorCode, ExoArmurError } from "../errors.js";
import type { WasmInstance } from "./engine.js";
import { exportName } from "./extism.js";
import { guestState } from "./imports/guest-state.js";
import { flushStreams } from "./imports/wasi-streams.js";
import { Stop } from "./stop.js";

/** Thrown by `proc_exit`; only {@link callExports} catches it. `code` is what the guest gave, as unsigned. */
export class GuestExit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`proc_exit(${code})`);
    this.code = code;
  }
}

type WasmFunction = (...args: number[]) => unknown;

/**
 * Runs start section, initializers and function, in this order, and returns what the function returned
 * (spec/abi.md, a run). `proc_exit` in the function is its end: 0 as if it had returned 0, any other code is a guest
 * error. Before the function has begun every exit is one.
 */
export function callExports(exports: WasmInstance["exports"], name: string): unknown {
  const main = functionOf(exports, name);
  if (main === undefined) {
    throw new ExoArmurError("EXO_WASM_EXPORT", `the module has no function ${name.slice(0, 100)}`);
  }
  let begun = false;
  try {
    (exports["exo:start"] as WasmFunction | undefined)?.();
    for (const initializer of initializersOf(exports, name)) {
      // hs_init takes argc and argv; a function that takes nothing ignores both.
      functionOf(exports, initializer)?.(0, 0);
    }
    begun = true;
    const returned = main();
    flushStreams(guestState());
    return returned;
  } catch (thrown) {
    if (!(thrown instanceof GuestExit)) {
      throw thrown;
    }
    flushStreams(guestState());
    if (begun && thrown.code === 0) {
      return 0;
    }
    const when = begun ? "" : " before its function was called";
    const message = guestState().kernel.error ?? `the guest called proc_exit(${thrown.code})${when}`;
    throw new Stop("guest_error", "EXO_GUEST_ERROR" satisfies ErrorCode, message);
  }
}

function functionOf(exports: WasmInstance["exports"], name: string): WasmFunction | undefined {
  const wanted = exportName(name);
  const found = Object.hasOwn(exports, wanted) ? exports[wanted] : undefined;
  return typeof found === "function" ? (found as WasmFunction) : undefined;
}

/**
 * A reactor's `_initialize`, then Haskell's `hs_init`. Without `_initialize` the constructors are called by themselves,
 * but not for a command: its `_start` calls them.
 */
function initializersOf(exports: WasmInstance["exports"], name: string): readonly string[] {
  const constructors = name === "_start" ? [] : ["__wasm_call_ctors"];
  const first = functionOf(exports, "_initialize") === undefined ? constructors : ["_initialize"];
  return [...first, "hs_init"].filter((initializer) => initializer !== name);
}
