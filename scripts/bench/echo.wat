;; An echo as a program built with a PDK does it: the input is read into linear memory, then a block is written from it,
;; eight bytes a call, the rest byte by byte.
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "extism:host/env" "input_load_u64" (func $input_load_u64 (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (memory (export "memory") 1)
  (global $heap i32 (i32.const 1024))

  (func $read (param $to i32) (param $length i64)
    (local $at i64)
    (block $done
      (loop $words
        (br_if $done (i64.gt_u (i64.add (local.get $at) (i64.const 8)) (local.get $length)))
        (i64.store (i32.add (local.get $to) (i32.wrap_i64 (local.get $at))) (call $input_load_u64 (local.get $at)))
        (local.set $at (i64.add (local.get $at) (i64.const 8)))
        (br $words)))
    (block $done
      (loop $bytes
        (br_if $done (i64.ge_u (local.get $at) (local.get $length)))
        (i32.store8 (i32.add (local.get $to) (i32.wrap_i64 (local.get $at))) (call $input_load_u8 (local.get $at)))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $bytes))))

  (func $write (param $from i32) (param $length i64) (result i64)
    (local $block i64) (local $at i64)
    (local.set $block (call $alloc (local.get $length)))
    (block $done
      (loop $words
        (br_if $done (i64.gt_u (i64.add (local.get $at) (i64.const 8)) (local.get $length)))
        (call $store_u64
          (i64.add (local.get $block) (local.get $at))
          (i64.load (i32.add (local.get $from) (i32.wrap_i64 (local.get $at)))))
        (local.set $at (i64.add (local.get $at) (i64.const 8)))
        (br $words)))
    (block $done
      (loop $bytes
        (br_if $done (i64.ge_u (local.get $at) (local.get $length)))
        (call $store_u8
          (i64.add (local.get $block) (local.get $at))
          (i32.load8_u (i32.add (local.get $from) (i32.wrap_i64 (local.get $at)))))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $bytes)))
    (local.get $block))

  (func (export "echo") (result i32)
    (local $length i64)
    (local.set $length (call $input_length))
    (if (i32.lt_s
          (memory.grow (i32.wrap_i64 (i64.shr_u (i64.add (local.get $length) (i64.const 1024)) (i64.const 16))))
          (i32.const 0))
      (then (return (i32.const 1))))
    (call $read (global.get $heap) (local.get $length))
    (call $output_set (call $write (global.get $heap) (local.get $length)) (local.get $length))
    (i32.const 0)))
