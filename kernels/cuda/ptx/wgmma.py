#!/usr/bin/env python3
"""Writes wgmma.h: one function for each width of a product. `wgmma.py` prints it; `wgmma.py FILE` compares FILE with it
and fails where they differ. After a change: python3 wgmma.py > wgmma.h"""
import pathlib
import sys

SHARED_WIDTHS = [128, 176]  # both operands in shared memory
REGISTER_WIDTHS = [64, 128]  # the left one in registers

HEADER = """// Written by wgmma.py: wgmma.mma_async of PTX ISA 8.0 for each width that a kernel uses.
//
// d (64 x N, fp32) += a (64 x 16) b (16 x N), bf16; without `add`: d = a b. Asynchronous: see kernels/cuda/ptx/hopper.h.
#pragma once

// clang-format off
namespace rushes::kernels::device {
"""
FOOTER = """
}  // namespace rushes::kernels::device
"""


def numbers(first, count):
    return ", ".join(f"%{i}" for i in range(first, first + count))


def function(width, registers):
    count = width // 2
    inputs = 4 if registers else 1
    a = "{" + numbers(count, 4) + "}" if registers else f"%{count}"
    b, add = count + inputs, count + inputs + 1
    # Scales of a and b, then whether each lies transposed (MN-major); a in registers never does.
    tail = "p, 1, 1, 1" if registers else "p, 1, 1, 0, 0"
    outputs = ", ".join(f'"+f"(d[{i}])' for i in range(count))
    values = ", ".join(f'"r"(a[{i}])' for i in range(4)) if registers else '"l"(a)'
    name, parameter = ("wgmma_rs", "const std::uint32_t* a") if registers else ("wgmma_ss", "std::uint64_t a")
    return f"""
RUSHES_DEVICE void {name}(float (&d)[{count}], {parameter}, std::uint64_t b, bool add) {{
  asm volatile(
      "{{ .reg .pred p; setp.ne.b32 p, %{add}, 0; "
      "wgmma.mma_async.sync.aligned.m64n{width}k16.f32.bf16.bf16 "
      "{{{numbers(0, count)}}}, "
      "{a}, %{b}, {tail}; }}"
      : {outputs}
      : {values}, "l"(b), "r"(static_cast<int>(add)));
}}
"""


text = (HEADER + "".join(function(n, False) for n in SHARED_WIDTHS) +
        "".join(function(n, True) for n in REGISTER_WIDTHS) + FOOTER)
if len(sys.argv) > 1:
    sys.exit(0 if pathlib.Path(sys.argv[1]).read_text() == text else f"{sys.argv[1]} is not what wgmma.py writes")
print(text, end="")
