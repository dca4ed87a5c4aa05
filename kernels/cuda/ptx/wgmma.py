#!/usr/bin/env python3
"""Writes wgmma.h: one function for each width of a product. `wgmma.py` prints it; `wgmma.py FILE` compares FILE with it
and fails where they differ. After a change: python3 wgmma.py > wgmma.h"""
import pathlib
import sys

SHARED_WIDTHS = [128, 176]  # both operands in shared memory
REGISTER_WIDTHS = [64, 128]  # the left one in registers
BYTE_WIDTH = 128  # of products in 8 bits

HEADER = """// Written by wgmma.py: wgmma.mma_async of PTX ISA 8.0 for each width that a kernel uses.
//
// d (64 x N, fp32) += a (64 x 16) b (16 x N), bf16; without `add`: d = a b. Asynchronous: see kernels/cuda/ptx/hopper.h. In 8 bits (s8: exact
// sums in int32, e4m3: sums of fewer bits than fp32) K is 32 and both operands are K-major.
#pragma once

// clang-format off
namespace rushes::kernels::device {
"""
FOOTER = """
}  // namespace rushes::kernels::device
"""


def numbers(first, count):
    return ", ".join(f"%{i}" for i in range(first, first + count))


# (suffix of the name, types of d, a and b, C++ type of d, depth)
BF16 = ("", "f32.bf16.bf16", "float", 16)
S8 = ("_s8", "s32.s8.s8", "std::int32_t", 32)
E4M3 = ("_e4m3", "f32.e4m3.e4m3", "float", 32)


def function(width, registers, kind=BF16):
    suffix, types, d_type, depth = kind
    count = width // 2
    inputs = 4 if registers else 1
    a = "{" + numbers(count, 4) + "}" if registers else f"%{count}"
    b, add = count + inputs, count + inputs + 1
    # Scales of a and b, then whether each lies transposed (MN-major); a in registers never does.
    # Integers have no scales, 8-bit operands are never transposed.
    scales = {"": ", 1, 1", "_e4m3": ", 1, 1", "_s8": ""}[suffix]
    transposed = "" if suffix else ", 1" if registers else ", 0, 0"
    tail = "p" + scales + transposed
    register = "r" if suffix == "_s8" else "f"
    outputs = ", ".join(f'"+{register}"(d[{i}])' for i in range(count))
    values = ", ".join(f'"r"(a[{i}])' for i in range(4)) if registers else '"l"(a)'
    name, parameter = ("wgmma_rs", "const std::uint32_t* a") if registers else ("wgmma_ss", "std::uint64_t a")
    name += suffix
    return f"""
RUSHES_DEVICE void {name}({d_type} (&d)[{count}], {parameter}, std::uint64_t b, bool add) {{
  asm volatile(
      "{{ .reg .pred p; setp.ne.b32 p, %{add}, 0; "
      "wgmma.mma_async.sync.aligned.m64n{width}k{depth}.{types} "
      "{{{numbers(0, count)}}}, "
      "{a}, %{b}, {tail}; }}"
      : {outputs}
      : {values}, "l"(b), "r"(static_cast<int>(add)));
}}
"""


text = (HEADER + "".join(function(n, False) for n in SHARED_WIDTHS) +
        "".join(function(n, True) for n in REGISTER_WIDTHS) +
        function(BYTE_WIDTH, False, S8) + function(BYTE_WIDTH, True, E4M3) + FOOTER)
if len(sys.argv) > 1:
    sys.exit(0 if pathlib.Path(sys.argv[1]).read_text() == text else f"{sys.argv[1]} is not what wgmma.py writes")
print(text, end="")
