;; The planets for 20,000 steps: double-precision arithmetic with a square root and a division in the inner loop.
(module
  (memory (export "memory") 1)
  ;; five bodies of seven numbers: place, velocity, mass
  (data (i32.const 1024)
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\de\45\be\c9\3c\bd\43\40\2c\d9\3c\34\a0\5d\13\40"
    "\7c\db\1f\c0\ab\90\f2\bf\f0\eb\25\6c\f9\86\ba\bf\bc\cc\93\9b\06\67\e3\3f\9b\94\7d\f5\f2\7e\06\40"
    "\15\07\5a\9a\d7\d2\99\bf\d8\33\ab\d9\95\4c\a3\3f\67\ca\32\c3\cd\af\20\40\b0\01\de\31\cb\7f\10\40"
    "\7c\46\eb\e1\53\d3\d9\bf\41\77\87\b8\21\2c\f0\bf\13\8f\1f\bf\e9\35\fd\3f\b4\23\11\5f\48\3c\81\3f"
    "\37\c6\07\0d\49\1d\87\3f\cf\d9\a7\ce\ea\c9\29\40\7e\66\26\d6\e8\38\2e\c0\a0\7d\25\be\57\95\cc\bf"
    "\ef\1b\91\a9\1c\53\f1\3f\c5\bb\54\3e\7f\cc\eb\3f\7c\3e\f2\fa\6b\2f\86\bf\b3\1e\f4\9c\d2\3d\5c\3f"
    "\2a\57\05\a9\67\c2\2e\40\20\a2\c8\33\58\eb\39\c0\40\e5\ab\93\f3\f1\c6\3f\4a\bc\59\16\b6\54\ef\3f"
    "\a3\fb\c4\31\c6\07\e3\3f\f6\65\76\58\88\cb\a1\bf\ac\99\17\53\f3\a8\60\3f")
  (func (export "run") (result i32)
    (local $step i32) (local $i i32) (local $j i32)
    (local $dx f64) (local $dy f64) (local $dz f64) (local $mag f64) (local $d2 f64)
    (memory.copy (i32.const 0) (i32.const 1024) (i32.const 280))
    (loop $steps
      (local.set $i (i32.const 0))
      (loop $bodies
        (local.set $j (i32.add (local.get $i) (i32.const 56)))
        (loop $others
          (local.set $dx (f64.sub (f64.load (local.get $i)) (f64.load (local.get $j))))
          (local.set $dy (f64.sub (f64.load offset=8 (local.get $i)) (f64.load offset=8 (local.get $j))))
          (local.set $dz (f64.sub (f64.load offset=16 (local.get $i)) (f64.load offset=16 (local.get $j))))
          (local.set $d2
            (f64.add
              (f64.mul (local.get $dx) (local.get $dx))
              (f64.add (f64.mul (local.get $dy) (local.get $dy)) (f64.mul (local.get $dz) (local.get $dz)))))
          (local.set $mag (f64.div (f64.const 0.01) (f64.mul (local.get $d2) (f64.sqrt (local.get $d2)))))
          (f64.store offset=24 (local.get $i)
            (f64.sub (f64.load offset=24 (local.get $i))
              (f64.mul (local.get $dx) (f64.mul (f64.load offset=48 (local.get $j)) (local.get $mag)))))
          (f64.store offset=24 (local.get $j)
            (f64.add (f64.load offset=24 (local.get $j))
              (f64.mul (local.get $dx) (f64.mul (f64.load offset=48 (local.get $i)) (local.get $mag)))))
          (f64.store offset=32 (local.get $i)
            (f64.sub (f64.load offset=32 (local.get $i))
              (f64.mul (local.get $dy) (f64.mul (f64.load offset=48 (local.get $j)) (local.get $mag)))))
          (f64.store offset=32 (local.get $j)
            (f64.add (f64.load offset=32 (local.get $j))
              (f64.mul (local.get $dy) (f64.mul (f64.load offset=48 (local.get $i)) (local.get $mag)))))
          (f64.store offset=40 (local.get $i)
            (f64.sub (f64.load offset=40 (local.get $i))
              (f64.mul (local.get $dz) (f64.mul (f64.load offset=48 (local.get $j)) (local.get $mag)))))
          (f64.store offset=40 (local.get $j)
            (f64.add (f64.load offset=40 (local.get $j))
              (f64.mul (local.get $dz) (f64.mul (f64.load offset=48 (local.get $i)) (local.get $mag)))))
          (local.set $j (i32.add (local.get $j) (i32.const 56)))
          (br_if $others (i32.lt_u (local.get $j) (i32.const 280))))
        (local.set $i (i32.add (local.get $i) (i32.const 56)))
        (br_if $bodies (i32.lt_u (local.get $i) (i32.const 224))))
      (local.set $i (i32.const 0))
      (loop $moves
        (f64.store offset=0 (local.get $i)
          (f64.add (f64.load offset=0 (local.get $i)) (f64.mul (f64.const 0.01) (f64.load offset=24 (local.get $i)))))
        (f64.store offset=8 (local.get $i)
          (f64.add (f64.load offset=8 (local.get $i)) (f64.mul (f64.const 0.01) (f64.load offset=32 (local.get $i)))))
        (f64.store offset=16 (local.get $i)
          (f64.add (f64.load offset=16 (local.get $i)) (f64.mul (f64.const 0.01) (f64.load offset=40 (local.get $i)))))
        (local.set $i (i32.add (local.get $i) (i32.const 56)))
        (br_if $moves (i32.lt_u (local.get $i) (i32.const 280))))
      (local.set $step (i32.add (local.get $step) (i32.const 1)))
      (br_if $steps (i32.lt_u (local.get $step) (i32.const 20000))))
    (i32.wrap_i64 (i64.reinterpret_f64 (f64.load (i32.const 0))))))
