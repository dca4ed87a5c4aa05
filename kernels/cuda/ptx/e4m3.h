// What compute capability 8.9 adds to warp.h: numbers of 8 bits with a point (e4m3).
//
// Device code only. PTX ISA 8.4: cvt.rn.satfinite.e4m3x2.f32, mma.sync.m16n8k32 of e4m3. The software device of the tests
// has the same names: tests/kernels/emulator/ptx/e4m3.h.
#pragma once

#include <ptx/warp.h>

namespace rushes::kernels::device {

// Four floats as e4m3, `x0` in the lowest byte; magnitudes above 448 become 448.
RUSHES_DEVICE std::uint32_t pack_e4m3(float x0, float x1, float x2, float x3) {
  std::uint32_t word;
  asm("{ .reg .b16 low, high; cvt.rn.satfinite.e4m3x2.f32 low, %2, %1; cvt.rn.satfinite.e4m3x2.f32 high, %4, "
      "%3; "
      "mov.b32 %0, {low, high}; }"
      : "=r"(word)
      : "f"(x0), "f"(x1), "f"(x2), "f"(x3));
  return word;
}

// d += a b in e4m3; layouts as multiply_add_s8. The sum inside has fewer bits than fp32 (SageAttention2, arXiv 2411.10958:
// 22 in all): long sums are added up by the caller.
RUSHES_DEVICE void multiply_add_e4m3(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                     std::uint32_t b1) {
  asm("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace rushes::kernels::device
