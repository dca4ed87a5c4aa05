#!/usr/bin/env python3
"""Counts instructions of compiled kernels, without a disassembler.

  cubin_census.py FILE.cubin...             prints the counts of every kernel
  cubin_census.py --probes FILE.cubin       compares the kernels of census_probes.cu with what their source says
  cubin_census.py --no-local FILE.cubin...  no kernel reads or writes local memory
  cubin_census.py --hopper FILE.cubin...    the same, and each form of Hopper's attention has its products, copies and
                                            exponentials, no more and no less

An instruction has 16 bytes; the low 12 bits of the first word are its operation and the kinds of its operands."""
import collections
import re
import struct
import sys

NAMES = {0x9f0: "HGMMA_SS", 0xdf0: "HGMMA_RS", 0x9f1: "IGMMA_SS", 0xdf3: "QGMMA_RS", 0x308: "MUFU", 0x983: "LDL", 0x387: "STL", 0x5b4: "UTMALDG",
         0x3b4: "UTMALDG_MULTICAST", 0xf89: "SHFL", 0x589: "SHFL_FROM",  # SHFL: by a constant; FROM: a lane by number
         0x9c5: "WARPGROUP"}  # fences of products and waits for them


def kernels(path):
    """(name, Counter of operations) of each kernel of a cubin: an ELF file with a section .text.NAME for each."""
    data = open(path, "rb").read()
    if data[:5] != b"\x7fELF\x02":
        sys.exit(f"{path}: not a 64-bit ELF file")
    table, = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3a)
    sections = [struct.unpack_from("<IIQQQQ", data, table + i * size) for i in range(count)]
    for name, _, _, _, offset, length in sections:
        start = sections[names][4] + name
        title = data[start:data.index(b"\0", start)].decode()
        if title.startswith(".text."):
            words = (struct.unpack_from("<Q", data, at)[0] & 0xfff for at in range(offset, offset + length, 16))
            yield title[len(".text."):], collections.Counter(NAMES[w] for w in words if w in NAMES)


def eight_bit_form():
    """See kernels/cuda/attention_s8_hopper_block.h: 64 queries, 128 keys a step, width 128; a loop without a first step of
    its own."""
    return {
        "IGMMA_SS": 128 // 32,
        "QGMMA_RS": 128 // 32,
        # An exponential for each of a thread's scores; for two rows: rescaling, 1 / sum, log2(sum). Integer divisions: by the
        # blocks of a query tile, by the query tile and, for each copy of keys and for their scales, by the steps of a key tile.
        "MUFU": 128 // 2 + 2 + 2 + 2 + 6,
        # Queries; keys and values of two stages at the start, and of one in the loop.
        "UTMALDG": 1 + 2 * 2 + 2,
        # Maxima, sums and products with the keys' mean of two rows over four lanes; four for each transposed quad of words.
        "SHFL": 2 * 2 + 2 * 2 + 2 * 2 + 2 * 128 // 32 * 4,
        "WARPGROUP": 4,  # two fences and two waits of the source
        "LDL": 0,
        "STL": 0,
    }


def hopper_form(name):
    """What a form of the kernel must have; see kernels/cuda/attention_hopper_block.h. Everything stands twice: for the
    first step, and in the loop over the others; and for p v in the loop, and for the last step."""
    if "attention_s8_hopper_kernel" in name:
        return eight_bit_form()
    found = re.search(r"attention_hopper_kernelILi(\d+)ELi(\d+)ELi(\d+)ELb([01])E", name)
    if not found:
        sys.exit(f"{name}: not a form of attention_hopper_kernel")
    width, keys, cluster, listed = map(int, found.groups())
    boxes = 2 * width // 64 if listed else 1
    return {
        "HGMMA_SS": 2 * width // 16,
        "HGMMA_RS": 2 * keys // 16,
        # An exponential for each of a thread's scores; for two rows: rescaling, 1 / sum, log2(sum). An integer division
        # takes one: by the blocks of a query tile; for lists also by the query tile and, for k and v, the boxes of a
        # key tile.
        "MUFU": 2 * keys // 2 + 2 + 2 + 2 + (4 if listed else 1),
        # Queries; keys and values, which a cluster shares.
        "UTMALDG": 1 + (2 * boxes if cluster == 1 else 0),
        "UTMALDG_MULTICAST": 0 if cluster == 1 else 2,
        # Maxima and sums of two rows over four lanes; four for each transposed quad of words.
        "SHFL": 2 * 4 + 4 + 2 * width // 32 * 4,
        "SHFL_FROM": 1,  # the warpgroup's number
        # Four fences and four waits of the source: ptxas has put in no other, which would serialise the products.
        "WARPGROUP": 8,
        "LDL": 0,
        "STL": 0,
    }


PROBES = {
    "probe_mufu": {"MUFU": 5},
    "probe_shuffle": {"SHFL": 3, "SHFL_FROM": 1},
    "probe_local": {"LDL": 2, "STL": 4},
    "probe_copies": {"UTMALDG": 1, "UTMALDG_MULTICAST": 1},
    "probe_products": {"HGMMA_SS": 3, "HGMMA_RS": 2, "WARPGROUP": 2},
    "probe_byte_products": {"IGMMA_SS": 3, "QGMMA_RS": 2, "WARPGROUP": 4},
}


def expected(mode, name):
    if mode == "--probes":
        return dict.fromkeys(NAMES.values(), 0) | next(counts for probe, counts in PROBES.items() if probe in name)
    return hopper_form(name) if mode == "--hopper" else {"LDL": 0, "STL": 0}


mode = sys.argv[1] if sys.argv[1].startswith("--") else ""
wrong = seen = 0
for path in sys.argv[2 if mode else 1:]:
    for name, counts in kernels(path):
        seen += 1
        print(f"{name}: " + ", ".join(f"{key} {counts[key]}" for key in NAMES.values() if counts[key]))
        for key, count in (expected(mode, name) if mode else {}).items():
            if counts[key] != count:
                wrong += 1
                print(f"  {key}: {counts[key]}, expected {count}")
if mode == "--probes" and seen != len(PROBES):
    sys.exit(f"{seen} probes, expected {len(PROBES)}")
sys.exit(1 if wrong or not seen else 0)
