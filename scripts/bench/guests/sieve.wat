;; Sieve of Eratosthenes up to 1,000,000: an integer loop over bytes. Answers with the number of primes, 78,498.
(module
  (memory (export "memory") 16)
  (func (export "run") (result i32)
    (local $i i32) (local $j i32) (local $count i32)
    (memory.fill (i32.const 0) (i32.const 0) (i32.const 1000001))
    (local.set $i (i32.const 2))
    (loop $numbers
      (if (i32.eqz (i32.load8_u (local.get $i)))
        (then
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (local.set $j (i32.shl (local.get $i) (i32.const 1)))
          (block $marked
            (loop $multiples
              (br_if $marked (i32.gt_u (local.get $j) (i32.const 1000000)))
              (i32.store8 (local.get $j) (i32.const 1))
              (local.set $j (i32.add (local.get $j) (local.get $i)))
              (br $multiples)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $numbers (i32.le_u (local.get $i) (i32.const 1000000))))
    (local.get $count)))
