import { BodyDecoder } from "../decode/body.js";
import { type BodyFacts, InstructionList } from "../decode/code.js";
import type { FuncType, ModuleShape, Range } from "../decode/shape.js";
import { readFuelTable } from "../fuel.js";
import { structuralLimits } from "../limits.js";
import { CallGraph } from "../plan/call-graph.js";
import { ChargePlanner, type Entry } from "../plan/charges.js";
import type { Findings } from "../reasons.js";
import { type Appendix, BodyMeter, type Charges } from "./meter.js";
import { type ByteWriter, maxSealedBytes } from "./writer.js";

/** The bodies of a module, decoded one at a time into one list, and their call graph. */
export class Bodies {
  readonly list = new InstructionList();
  readonly graph: CallGraph;
  readonly #shape: ModuleShape;
  readonly #decoder: BodyDecoder;

  constructor(shape: ModuleShape, findings: Findings) {
    this.#shape = shape;
    this.#decoder = new BodyDecoder(shape, findings, this.list);
    this.graph = new CallGraph(shape);
  }

  /** Decodes defined function `index` into the list. */
  decode(index: number): BodyFacts {
    const typeIndex = this.#shape.functionTypes[this.#shape.importedFunctions + index] as number;
    return this.#decoder.decode(typeIndex, this.#shape.bodies[index] as Range);
  }

  /** Type of defined function `index`. */
  typeOf(index: number): FuncType {
    return this.#shape.types[this.#shape.functionTypes[this.#shape.importedFunctions + index] as number] as FuncType;
  }
}

/**
 * Writes the metered bodies, each with its size, once every one has been added to the call graph. First it is found out
 * what callers pay for each function, then the functions are written. Throws Halt with a reason noted when they would
 * be too large.
 */
export function meterBodies(
  shape: ModuleShape,
  findings: Findings,
  appendix: Appendix,
  bodies: Bodies,
  code: ByteWriter,
): Charges {
  const { graph, list } = bodies;
  graph.close();
  const planner = new ChargePlanner(graph);
  findSilent(bodies, planner);
  graph.sumClasses();
  for (let index = 0; index < shape.bodies.length; index += 1) {
    if (!graph.isSilent(index) && !graph.paysItself(index)) {
      const facts = bodies.decode(index);
      graph.prepay(index, planner.plan(list, facts, { kind: "caller", most: Number.POSITIVE_INFINITY }));
    }
  }
  graph.sumClasses();
  const meter = new BodyMeter(shape, appendix, graph, planner);
  for (let index = 0; index < shape.bodies.length; index += 1) {
    const facts = bodies.decode(index);
    const metered = meter.meter(index, bodies.typeOf(index), list, facts, entryOf(graph, index));
    const offset = shape.bodies[index]?.start ?? 0;
    if (metered.length > structuralLimits.bodyBytes) {
      const message = `a function takes ${metered.length} bytes when metered, at most ${structuralLimits.bodyBytes} fit`;
      findings.halt("EXO_WASM_LIMIT", message, offset);
    }
    if (code.length + metered.length + 65_536 > maxSealedBytes) {
      findings.halt("EXO_WASM_LIMIT", `the metered module would be larger than ${maxSealedBytes} bytes`);
    }
    code.sized(metered);
  }
  return meter.charges;
}

/** Finds the functions that are so small that their callers pay for all of them. */
function findSilent(bodies: Bodies, planner: ChargePlanner): void {
  const { graph, list } = bodies;
  for (const index of graph.calleesFirst()) {
    if (graph.canBeSilent(index)) {
      const facts = bodies.decode(index);
      const cost = planner.plan(list, facts, { kind: "callers" });
      if (cost <= readFuelTable().plan.callee) {
        graph.silence(index, cost);
      }
    }
  }
}

function entryOf(graph: CallGraph, index: number): Entry {
  if (graph.isSilent(index)) {
    return { kind: "callers" };
  }
  return graph.paysItself(index) ? { kind: "own" } : { kind: "caller", most: graph.prepaidOf(index) };
}
