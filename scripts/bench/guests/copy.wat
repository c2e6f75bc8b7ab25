;; Copies 256 KiB forward thirty times, in bulk and word by word, and sums the words.
(module
  (memory (export "memory") 16)
  (func (export "run") (result i32)
    (local $round i32) (local $at i32) (local $sum i64)
    (loop $fill
      (i64.store (local.get $at) (i64.mul (i64.extend_i32_u (local.get $at)) (i64.const 0x9e3779b97f4a7c15)))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $fill (i32.lt_u (local.get $at) (i32.const 262144))))
    (loop $rounds
      (memory.copy (i32.const 262144) (i32.const 0) (i32.const 262144))
      (local.set $at (i32.const 0))
      (loop $words
        (i64.store (i32.add (local.get $at) (i32.const 524288)) (i64.load (i32.add (local.get $at) (i32.const 262144))))
        (local.set $sum (i64.add (local.get $sum) (i64.load (i32.add (local.get $at) (i32.const 524288)))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $words (i32.lt_u (local.get $at) (i32.const 262144))))
      (local.set $round (i32.add (local.get $round) (i32.const 1)))
      (br_if $rounds (i32.lt_u (local.get $round) (i32.const 30))))
    (i32.wrap_i64 (i64.xor (local.get $sum) (i64.shr_u (local.get $sum) (i64.const 32))))))
