import type { InstructionList } from "../../../src/wasm/decode/code.js";
import { decodeModule } from "../../../src/wasm/decode/module.js";
import { opcodeByCode } from "../../../src/wasm/decode/opcodes.js";
import { type FuncType, type ModuleShape, typeOfFunction } from "../../../src/wasm/decode/shape.js";
import { readFuelTable } from "../../../src/wasm/fuel.js";
import type { CallGraph } from "../../../src/wasm/plan/call-graph.js";
import { ChargePlanner, type Entry } from "../../../src/wasm/plan/charges.js";
import { Findings } from "../../../src/wasm/reasons.js";
import { planAppendix, TypeTable } from "../../../src/wasm/write/assemble.js";
import { Bodies, meterBodies } from "../../../src/wasm/write/meter-bodies.js";
import { ByteWriter } from "../../../src/wasm/write/writer.js";

const table = readFuelTable();

/**
 * Looks for a path through any function of a valid module on which an instruction would run that is not paid for by
 * then: shortest paths over the control flow graph, from the plan's charges and the table's costs. Returns the first
 * finding. Runs can not show this: what one path overpays hides what another lacks.
 */
export function checkPlan(bytes: Uint8Array): string | null {
  const findings = new Findings();
  const shape = decodeModule(bytes, findings);
  if (shape === null) {
    return "the module was not decoded";
  }
  const bodies = new Bodies(shape, findings);
  for (let index = 0; index < shape.bodies.length; index += 1) {
    bodies.graph.add(index, bodies.list, bodies.decode(index));
  }
  meterBodies(shape, findings, planAppendix(shape, new TypeTable(shape)), bodies, new ByteWriter());
  const planner = new ChargePlanner(bodies.graph);
  const indirect = indirectDebts(shape, bodies.graph);
  for (let index = 0; index < shape.bodies.length; index += 1) {
    const facts = bodies.decode(index);
    const entry = entryOf(bodies.graph, index);
    planner.plan(bodies.list, facts, entry);
    const prepaid = entry.kind === "own" ? 0 : bodies.graph.prepaidOf(index);
    const problem =
      checkFunction(
        bodies.list,
        bodies.graph,
        planner.charges,
        prepaid,
        Math.floor(facts.locals / table.localsPerUnit),
      ) ?? checkCalls(shape, bodies.list, bodies.graph, indirect);
    if (problem !== null) {
      return `function ${shape.importedFunctions + index}: ${problem}`;
    }
  }
  return null;
}

function entryOf(graph: CallGraph, index: number): Entry {
  if (graph.isSilent(index)) {
    return { kind: "callers" };
  }
  return graph.paysItself(index) ? { kind: "own" } : { kind: "caller", most: graph.prepaidOf(index) };
}

function nameAt(list: InstructionList, at: number): string {
  return opcodeByCode[list.op[at] as number]?.name ?? "";
}

/** The instructions that may follow each one. `list.count` is the function's end. */
class Flow {
  readonly next: number[][] = [];
  /** First instructions of loops: each pass costs more. */
  readonly headers = new Set<number>();
  readonly #list: InstructionList;
  readonly #open: number[] = [];
  readonly #ends = new Map<number, number>();
  readonly #elses = new Map<number, number>();

  constructor(list: InstructionList) {
    this.#list = list;
    this.#match();
    for (let at = 0; at < list.count; at += 1) {
      this.next.push(this.#follow(at));
    }
  }

  #match(): void {
    const open: number[] = [];
    for (let at = 0; at < this.#list.count; at += 1) {
      const name = nameAt(this.#list, at);
      if (name === "block" || name === "loop" || name === "if") {
        open.push(at);
      } else if (name === "else") {
        this.#elses.set(open.at(-1) as number, at);
      } else if (name === "end" && open.length > 0) {
        this.#ends.set(open.pop() as number, at);
      }
    }
  }

  #target(label: number): number {
    const opener = this.#open.at(-1 - label);
    if (opener === undefined) {
      return this.#list.count;
    }
    return nameAt(this.#list, opener) === "loop" ? opener + 1 : this.#behind(opener);
  }

  #behind(opener: number): number {
    return (this.#ends.get(opener) as number) + 1;
  }

  #follow(at: number): number[] {
    const list = this.#list;
    const value = list.value[at] as number;
    switch (nameAt(list, at)) {
      case "loop":
        this.headers.add(at + 1);
        this.#open.push(at);
        return [at + 1];
      case "block":
        this.#open.push(at);
        return [at + 1];
      case "if": {
        this.#open.push(at);
        const other = this.#elses.get(at);
        return [at + 1, other === undefined ? this.#behind(at) : other + 1];
      }
      case "else":
        return [this.#behind(this.#open.at(-1) as number)];
      case "end":
        this.#open.pop();
        return [at + 1];
      case "br":
        return [this.#target(value)];
      case "br_if":
        return [at + 1, this.#target(value)];
      case "br_table":
        return Array.from({ length: list.labelsOf[at] as number }, (_, label) =>
          this.#target(list.labels[value + label] as number),
        );
      case "return":
      case "unreachable":
        return [];
      default:
        return [at + 1];
    }
  }
}

function costAt(list: InstructionList, graph: CallGraph, at: number): number {
  const name = nameAt(list, at);
  const cost = Object.hasOwn(table.instructions, name) ? (table.instructions[name] as number) : table.instruction;
  if (name === "call" || name === "call_indirect") {
    return cost + graph.costOf(list.op[at] as number, list.value[at] as number);
  }
  return name === "br_table" ? cost + Math.floor(((list.labelsOf[at] as number) - 1) / table.labelsPerUnit) : cost;
}

/** The least that can be left of what was charged, before every instruction; below zero is a finding. */
function checkFunction(
  list: InstructionList,
  graph: CallGraph,
  charges: Int32Array,
  prepaid: number,
  entryCost: number,
): string | null {
  const flow = new Flow(list);
  const least = new Float64Array(list.count + 1).fill(Number.POSITIVE_INFINITY);
  least[0] = prepaid - entryCost;
  // Sweeps in program order: only branches back make a second one necessary.
  for (let changed = true; changed; ) {
    changed = false;
    for (let at = 0; at < list.count; at += 1) {
      if (least[at] === Number.POSITIVE_INFINITY) {
        continue;
      }
      const header = flow.headers.has(at) ? table.loopHeader : 0;
      const left = (least[at] as number) + (charges[at] as number) - header - costAt(list, graph, at);
      if (left < 0) {
        return `instruction ${at} (${nameAt(list, at)}) can be reached with ${left} fuel paid beyond what has run`;
      }
      for (const next of flow.next[at] as number[]) {
        if (left < (least[next] as number)) {
          least[next] = left;
          changed ||= next <= at;
        }
      }
    }
  }
  return null;
}

/** A call pays at least what its callee takes for paid. */
function checkCalls(
  shape: ModuleShape,
  list: InstructionList,
  graph: CallGraph,
  indirect: ReadonlyMap<string, number>,
): string | null {
  for (let at = 0; at < list.count; at += 1) {
    const name = nameAt(list, at);
    const value = list.value[at] as number;
    if (name === "call" && value >= shape.importedFunctions) {
      const callee = value - shape.importedFunctions;
      const owed = graph.isSilent(callee) || !graph.paysItself(callee) ? graph.prepaidOf(callee) : 0;
      if (graph.costOf(list.op[at] as number, value) < owed) {
        return `a call of ${value} pays less than the ${owed} it takes`;
      }
    }
    if (name === "call_indirect") {
      const paid = graph.costOf(list.op[at] as number, value);
      const owed = indirect.get(keyOf(shape.types[value])) ?? 0;
      if (paid < owed) {
        return `an indirect call of type ${value} pays ${paid}, what it may reach takes ${owed}`;
      }
    }
  }
  return null;
}

const keyOf = (entry: FuncType | undefined): string => `${entry?.params.join(",")}>${entry?.results.join(",")}`;

/** What functions that can be called indirectly take for paid at most, by their type. */
function indirectDebts(shape: ModuleShape, graph: CallGraph): Map<string, number> {
  const owed = new Map<string, number>();
  for (const index of new Set(shape.references)) {
    const callee = index - shape.importedFunctions;
    if (callee >= 0 && !graph.paysItself(callee)) {
      const key = keyOf(typeOfFunction(shape, index));
      owed.set(key, Math.max(owed.get(key) ?? 0, graph.prepaidOf(callee)));
    }
  }
  return owed;
}
