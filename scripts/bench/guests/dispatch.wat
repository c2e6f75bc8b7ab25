;; A small interpreter: a switch of eight cases and an indirect call for each of 2,000,000 steps.
(module
  (type $step (func (param i32) (result i32)))
  (table 8 funcref)
  (elem (i32.const 0) $add $xor $mul $rotl $shr $not $sub $or)
  (func $add (type $step) (i32.add (local.get 0) (i32.const 7)))
  (func $xor (type $step) (i32.xor (local.get 0) (i32.const 0x5bd1e995)))
  (func $mul (type $step) (i32.mul (local.get 0) (i32.const 0x01000193)))
  (func $rotl (type $step) (i32.rotl (local.get 0) (i32.const 5)))
  (func $shr (type $step) (i32.xor (local.get 0) (i32.shr_u (local.get 0) (i32.const 13))))
  (func $not (type $step) (i32.xor (local.get 0) (i32.const -1)))
  (func $sub (type $step) (i32.sub (local.get 0) (i32.const 0x2545f491)))
  (func $or (type $step) (i32.or (local.get 0) (i32.const 1)))
  (func (export "run") (result i32)
    (local $i i32) (local $x i32) (local $op i32)
    (local.set $x (i32.const 1))
    (loop $steps
      (local.set $op (i32.and (i32.add (local.get $x) (local.get $i)) (i32.const 7)))
      (block $done
        (block $c3 (block $c2 (block $c1 (block $c0
          (br_table $c0 $c1 $c2 $c3 $c0 $c1 $c2 $c3 (local.get $op)))
          (local.set $x (i32.add (local.get $x) (local.get $i))) (br $done))
          (local.set $x (i32.rotl (local.get $x) (i32.const 3))) (br $done))
          (local.set $x (i32.xor (local.get $x) (local.get $i))) (br $done))
        (local.set $x (i32.sub (local.get $x) (i32.const 11))))
      (local.set $x (call_indirect (type $step) (local.get $x) (local.get $op)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $steps (i32.lt_u (local.get $i) (i32.const 2000000))))
    (local.get $x)))
