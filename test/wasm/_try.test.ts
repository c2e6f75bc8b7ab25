import { test, expect } from "vitest";
import wabtInit from "wabt";
import { sealModule } from "../../src/wasm/seal.js";
import { inspectModule } from "../../src/wasm/inspect.js";
test("try", async () => {
  const wabt = await wabtInit();
  const m = wabt.parseWat("x.wat", `(module (import "extism:host/env" "alloc" (func $a (param i64) (result i64))) (memory 1) (func (export "f") (result i32) (drop (call $a (i64.const 8))) (drop (memory.grow (i32.const 1))) (loop $l (br_if $l (i32.eqz (i32.const 1)))) (drop (f64.div (f64.const 0) (f64.const 0)))
   (i32.const 7) return))`);
  const b = m.toBinary({}).buffer;
  const s = sealModule(b, { capabilities: [], memoryPages: 3, tableElements: 10 });
  console.log(JSON.stringify(inspectModule(b), null, 1));
  if (!s.ok) throw new Error(s.error.message);
  const t = wabt.readWasm(s.value.bytes, {});
  t.applyNames(); console.log(t.toText({ foldExprs: false }));
  const inst = new WebAssembly.Instance(new WebAssembly.Module(s.value.bytes), { "extism:host/env": { alloc: (n: bigint) => n } });
  (inst.exports["exo:fuel"] as any).value = 100000n; (inst.exports["exo:stack"] as any).value = 1000;
  expect((inst.exports["f"] as any)()).toBe(7);
  console.log((inst.exports["exo:fuel"] as any).value);
});
