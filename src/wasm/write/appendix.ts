import { findImport } from "../../contracts/imports.js";
import { op } from "../decode/opcodes.js";
import { type ModuleShape, nameTypes, typeOfFunction } from "../decode/shape.js";
import { readFuelTable } from "../fuel.js";
import { type Appendix, writeFuelCheck, writeFuelDebit, writeScale } from "./meter.js";
import { ByteWriter } from "./writer.js";

/** Bits of `exo:state`. */
const stateBits = {
  /** A memory.grow was refused because it would pass the maximum. */
  growRefused: 1,
  /** A memory.grow failed below the maximum: the host is short of memory. The guest trapped. */
  growFailed: 2,
} as const;

/**
 * Body of the thunk that every use of import `index` goes through, direct, indirect or by export: the call's cost and
 * its length argument are charged, checked, and only then is the import called.
 */
export function writeThunk(shape: ModuleShape, appendix: Appendix, index: number): ByteWriter {
  const entry = shape.imports[index];
  const row = entry === undefined ? undefined : findImport(entry.module, entry.name);
  const type = typeOfFunction(shape, index);
  // Only functions can be imported, so import and function indices agree.
  if (row === undefined || type === undefined) {
    throw new TypeError("a thunk is written for admitted imports only");
  }
  const params = nameTypes(type.params);
  const out = new ByteWriter(64);
  out.raw(1, 1, 0x7e, op.block, 0x40);
  writeFuelDebit(out, appendix.fuel, row.cost);
  if (row.lengthArg !== undefined) {
    out.u8(op.localGet);
    out.u32(row.lengthArg);
    if (params[row.lengthArg] === "i32") {
      out.u8(op.i64ExtendI32U);
    }
    // Unsigned and shifted the difference stays above -2^62, so the fuel cannot wrap around.
    writeScale(out, row.lengthCost ?? { multiply: 1, shift: readFuelTable().lengthShift });
    out.u8(op.i64Sub);
  }
  writeFuelCheck(out, appendix.fuel, params.length, 0);
  params.forEach((_, param) => {
    out.u8(op.localGet);
    out.u32(param);
  });
  out.u8(op.call);
  out.u32(index);
  out.raw(op.return, op.end, op.unreachable, op.end);
  return out;
}

/**
 * Body of the function that stands for memory.grow, `(i32 pages) -> i32`. A request that would pass `maximum` is
 * answered -1 and noted; any other is charged first, and its failure ends the run.
 */
export function writeGrow(appendix: Appendix, maximum: number): ByteWriter {
  const out = new ByteWriter(96);
  const pages = 0;
  const fuel = 1;
  out.raw(1, 1, 0x7e, op.block, 0x40);
  out.raw(op.memorySize, 0, op.i64ExtendI32U, op.localGet, pages, op.i64ExtendI32U, op.i64Add, op.i64Const);
  out.s32(maximum);
  out.raw(op.i64GtU, op.if, 0x40);
  writeState(out, appendix.state, stateBits.growRefused);
  out.raw(op.i32Const, 0x7f, op.return, op.end);
  out.u8(op.globalGet);
  out.u32(appendix.fuel);
  out.raw(op.localGet, pages, op.i64ExtendI32U);
  writeScale(out, readFuelTable().dynamic["memory.grow"] ?? { multiply: 1, shift: 0 });
  out.u8(op.i64Sub);
  writeFuelCheck(out, appendix.fuel, fuel, 0);
  out.raw(op.localGet, pages, op.memoryGrow, 0, op.localTee, pages, op.i32Const, 0x7f, op.i32Eq, op.if, 0x40);
  writeState(out, appendix.state, stateBits.growFailed);
  out.raw(op.unreachable, op.end, op.localGet, pages, op.return, op.end, op.unreachable, op.end);
  return out;
}

function writeState(out: ByteWriter, state: number, bit: number): void {
  out.u8(op.globalGet);
  out.u32(state);
  out.u8(op.i32Const);
  out.s32(bit);
  out.u8(op.i32Or);
  out.u8(op.globalSet);
  out.u32(state);
}
