;; Codes, distances and products of vectors; vector-slots.ts says where everything lies and calls this.
;; Compiled by scripts/build-wasm.js into vector-scan-binary.ts.
;;
;; width: dimensions rounded up to 64, so that a code is whole words of 64 bits and components are whole registers of 128.
;; Memory begins with a head, whose places depend on the width only:
;;       0  u32 x 1024   slots of hits
;;    4096  f32 x 1024   their products
;;    8192  f32 x width  a vector that comes in
;;  + 4 w   i16 x width  components of the query
;;  + 2 w   bit x width  code of the query
;;  + w/8   u32 x width + 1  how many codes have been found at each distance
;; A block of 1,024 slots follows another; each is
;;       0  f64 x 1024   numbers of passages (not looked at here)
;;    8192  u32 x 1024   audiences; 0: nobody
;;   12288  f32 x 1024   scales
;;   16384  u16 x 1024   distances, of the slots of the last scan
;;   18432  bit x width x 1024  codes
;;  + 128 w i8 x width x 1024   components
(module
  (memory (export "memory") 1)

  ;; Makes the code and the components of a vector and gives their scale: what the product of the components has to be multiplied by
  ;; for the product with a vector of length one. 0 when there is none (all zeros, or not a number).
  (func (export "encode") (param $vector i32) (param $width i32) (param $code i32) (param $bytes i32) (result f32)
    (local $end i32) (local $at i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local $largest v128) (local $squares v128) (local $factor v128)
    (local $max f32) (local $scale f32)
    (local.set $end (i32.add (local.get $vector) (i32.shl (local.get $width) (i32.const 2))))
    (local.set $at (local.get $vector))
    (loop $measure
      (local.set $a (v128.load (local.get $at)))
      ;; pmax leaves out what is not a number
      (local.set $largest (f32x4.pmax (local.get $largest) (f32x4.abs (local.get $a))))
      (local.set $squares (f32x4.add (local.get $squares) (f32x4.mul (local.get $a) (local.get $a))))
      (br_if $measure
        (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end))))
    (local.set $max
      (f32.max
        (f32.max (f32x4.extract_lane 0 (local.get $largest)) (f32x4.extract_lane 1 (local.get $largest)))
        (f32.max (f32x4.extract_lane 2 (local.get $largest)) (f32x4.extract_lane 3 (local.get $largest)))))
    (local.set $scale
      (f32.div
        (f32.div (local.get $max) (f32.const 127))
        (f32.sqrt
          (f32.add
            (f32.add (f32x4.extract_lane 0 (local.get $squares)) (f32x4.extract_lane 1 (local.get $squares)))
            (f32.add (f32x4.extract_lane 2 (local.get $squares)) (f32x4.extract_lane 3 (local.get $squares)))))))
    (local.set $factor (f32x4.splat (f32.div (f32.const 127) (local.get $max))))
    (local.set $at (local.get $vector))
    (loop $sixteen
      (local.set $a (v128.load (local.get $at)))
      (local.set $b (v128.load offset=16 (local.get $at)))
      (local.set $c (v128.load offset=32 (local.get $at)))
      (local.set $d (v128.load offset=48 (local.get $at)))
      (i32.store16 (local.get $code)
        (i8x16.bitmask
          (i8x16.narrow_i16x8_s
            (i16x8.narrow_i32x4_s
              (f32x4.gt (local.get $a) (v128.const f32x4 0 0 0 0))
              (f32x4.gt (local.get $b) (v128.const f32x4 0 0 0 0)))
            (i16x8.narrow_i32x4_s
              (f32x4.gt (local.get $c) (v128.const f32x4 0 0 0 0))
              (f32x4.gt (local.get $d) (v128.const f32x4 0 0 0 0))))))
      (v128.store (local.get $bytes)
        (i8x16.narrow_i16x8_s
          (i16x8.narrow_i32x4_s
            (i32x4.trunc_sat_f32x4_s (f32x4.nearest (f32x4.mul (local.get $a) (local.get $factor))))
            (i32x4.trunc_sat_f32x4_s (f32x4.nearest (f32x4.mul (local.get $b) (local.get $factor)))))
          (i16x8.narrow_i32x4_s
            (i32x4.trunc_sat_f32x4_s (f32x4.nearest (f32x4.mul (local.get $c) (local.get $factor))))
            (i32x4.trunc_sat_f32x4_s (f32x4.nearest (f32x4.mul (local.get $d) (local.get $factor)))))))
      (local.set $code (i32.add (local.get $code) (i32.const 2)))
      (local.set $bytes (i32.add (local.get $bytes) (i32.const 16)))
      (br_if $sixteen
        (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64))) (local.get $end))))
    ;; what is infinite or not a number is not zero when it is taken from itself
    (select (local.get $scale) (f32.const 0)
      (f32.eq (f32.sub (local.get $scale) (local.get $scale)) (f32.const 0))))

  ;; Counts the bits in which the codes of the slots of an audience (0: whichever) differ from the query's, and how many there are at
  ;; each distance. Gives how many slots that were.
  (func (export "distances")
    (param $block i32) (param $slot i32) (param $end i32) (param $audience i32) (param $width i32) (result i32)
    (local $query i32) (local $queryEnd i32) (local $histogram i32) (local $codeBytes i32)
    (local $code i32) (local $at i32) (local $distance i64) (local $found i32) (local $counted i32)
    (local $mask i32)
    (local.set $mask (select (i32.const -1) (i32.const 0) (local.get $audience)))
    (local.set $codeBytes (i32.shr_u (local.get $width) (i32.const 3)))
    (local.set $query (i32.add (i32.const 8192) (i32.mul (local.get $width) (i32.const 6))))
    (local.set $queryEnd (i32.add (local.get $query) (local.get $codeBytes)))
    (local.set $histogram (local.get $queryEnd))
    (local.set $code
      (i32.add (i32.add (local.get $block) (i32.const 18432)) (i32.mul (local.get $slot) (local.get $codeBytes))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $slot) (local.get $end)))
        (if (i32.eq
              (i32.and
                (i32.load offset=8192 (i32.add (local.get $block) (i32.shl (local.get $slot) (i32.const 2))))
                (local.get $mask))
              (local.get $audience))
          (then
            (local.set $distance (i64.const 0))
            (local.set $at (local.get $query))
            (loop $word
              (local.set $distance
                (i64.add (local.get $distance)
                  (i64.popcnt (i64.xor (i64.load (local.get $code)) (i64.load (local.get $at))))))
              (local.set $code (i32.add (local.get $code) (i32.const 8)))
              (br_if $word
                (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $queryEnd))))
            (i64.store16 offset=16384
              (i32.add (local.get $block) (i32.shl (local.get $slot) (i32.const 1)))
              (local.get $distance))
            (local.set $counted
              (i32.add (local.get $histogram) (i32.shl (i32.wrap_i64 (local.get $distance)) (i32.const 2))))
            (i32.store (local.get $counted) (i32.add (i32.load (local.get $counted)) (i32.const 1)))
            (local.set $found (i32.add (local.get $found) (i32.const 1))))
          (else (local.set $code (i32.add (local.get $code) (local.get $codeBytes)))))
        (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
        (br $next)))
    (local.get $found))

  ;; Writes the slots of an audience that are within a distance, and their products with the query, to the head. Gives how many.
  (func (export "products")
    (param $block i32) (param $slot i32) (param $end i32) (param $audience i32) (param $width i32) (param $within i32)
    (result i32)
    (local $query i32) (local $bytes i32) (local $bytesEnd i32) (local $at i32) (local $sum v128) (local $hit i32)
    (local $mask i32)
    (local.set $mask (select (i32.const -1) (i32.const 0) (local.get $audience)))
    (local.set $query (i32.add (i32.const 8192) (i32.shl (local.get $width) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $slot) (local.get $end)))
        (if (i32.le_u
              (i32.load16_u offset=16384 (i32.add (local.get $block) (i32.shl (local.get $slot) (i32.const 1))))
              (local.get $within))
          (then
            (if (i32.eq
              (i32.and
                (i32.load offset=8192 (i32.add (local.get $block) (i32.shl (local.get $slot) (i32.const 2))))
                (local.get $mask))
              (local.get $audience))
              (then
                (local.set $bytes
                  (i32.add
                    (i32.add (local.get $block) (i32.const 18432))
                    (i32.mul (i32.add (local.get $slot) (i32.const 128)) (local.get $width))))
                (local.set $bytesEnd (i32.add (local.get $bytes) (local.get $width)))
                (local.set $at (local.get $query))
                (local.set $sum (v128.const i32x4 0 0 0 0))
                (loop $sixteen
                  (local.set $sum
                    (i32x4.add
                      (i32x4.add (local.get $sum)
                        (i32x4.dot_i16x8_s (v128.load8x8_s (local.get $bytes)) (v128.load (local.get $at))))
                      (i32x4.dot_i16x8_s
                        (v128.load8x8_s offset=8 (local.get $bytes))
                        (v128.load offset=16 (local.get $at)))))
                  (local.set $at (i32.add (local.get $at) (i32.const 32)))
                  (br_if $sixteen
                    (i32.lt_u
                      (local.tee $bytes (i32.add (local.get $bytes) (i32.const 16)))
                      (local.get $bytesEnd))))
                (i32.store (local.get $hit) (local.get $slot))
                (f32.store offset=4096 (local.get $hit)
                  (f32.mul
                    (f32.load offset=12288 (i32.add (local.get $block) (i32.shl (local.get $slot) (i32.const 2))))
                    (f32.convert_i32_s
                      (i32.add
                        (i32.add (i32x4.extract_lane 0 (local.get $sum)) (i32x4.extract_lane 1 (local.get $sum)))
                        (i32.add (i32x4.extract_lane 2 (local.get $sum)) (i32x4.extract_lane 3 (local.get $sum)))))))
                (local.set $hit (i32.add (local.get $hit) (i32.const 4)))))))
        (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
        (br $next)))
    (i32.shr_u (local.get $hit) (i32.const 2)))
)
