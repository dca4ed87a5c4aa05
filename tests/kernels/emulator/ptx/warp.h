// kernels/cuda/ptx/warp.h on the software device: the same names, thread by thread on the CPU.
//
// Catches wrong fragment layouts, missing waits (copies arrive only when their group is waited for), missing barriers
// and deadlocks. Knows nothing of speed or of real encodings.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/cuda/kernel.h"
#include "kernels/tensor.h"
#include "tests/kernels/emulator/grid.h"

#define RUSHES_DEVICE inline
#define RUSHES_UNROLL
#define RUSHES_KERNEL(threads) void
#define RUSHES_ARGUMENTS(Struct) const Struct&
#define RUSHES_HANDLE(name, independent, ...) \
  ::rushes::kernels::device::kernel_handle<__VA_ARGS__>(name, independent)
#define RUSHES_FORM emulated
#define RUSHES_MUTATION(number) (::rushes::emulator::planted == (number))

namespace rushes::kernels::device {

template <typename>
struct ArgumentsOf;
template <typename Arguments>
struct ArgumentsOf<void (*)(const Arguments&)> {
  using type = Arguments;
};
template <auto kFunction>
auto kernel_handle(const char* name, bool independent) {
  using Arguments = typename ArgumentsOf<decltype(kFunction)>::type;
  cuda::Kernel<Arguments> handle;
  handle.name = name;
  void (*thread)(const void*) = [](const void* arguments) {
    kFunction(*static_cast<const Arguments*>(arguments));
  };
  handle.function = reinterpret_cast<const void*>(thread);
  handle.argument_bytes = sizeof(Arguments);
  handle.independent = independent;
  return handle;
}

inline int thread_index() { return static_cast<int>(emulator::self().index); }
inline int block_threads() { return static_cast<int>(emulator::self().block->threads.size()); }
inline int block_x() { return static_cast<int>(emulator::self().block->index[0]); }
inline int block_y() { return static_cast<int>(emulator::self().block->index[1]); }
inline int block_z() { return static_cast<int>(emulator::self().block->index[2]); }
inline int grid_x() { return static_cast<int>(emulator::self().block->grid[0]); }
inline unsigned char* shared_memory() {
  return reinterpret_cast<unsigned char*>(emulator::self().block->shared());
}
inline void sync_block() {
  emulator::Block& block = *emulator::self().block;
  emulator::meet(block.barriers[0], static_cast<std::uint32_t>(block.threads.size()), "block barrier");
}

inline float bf16_value(std::uint16_t bits) { return bf16_to_float(bits); }
inline std::uint16_t bf16_bits(float value) { return float_to_bf16(value); }

inline void expect_aligned(const void* at) {
  if (reinterpret_cast<std::uintptr_t>(at) % 16)
    throw emulator::KernelFault("16 bytes at an address that is not aligned");
}

inline float fast_exp2(float x) { return std::exp2(x); }
inline float fast_log2(float x) { return std::log2(x); }
inline int renewed(int value) { return value; }
inline int nearest_int(float x) { return std::isnan(x) ? 0 : static_cast<int>(std::nearbyint(x)); }
inline std::uint32_t pack_bf16(float low, float high) {
  return float_to_bf16(low) | static_cast<std::uint32_t>(float_to_bf16(high)) << 16;
}

inline float shuffle_xor(float value, int mask) {
  std::uint32_t word;
  std::memcpy(&word, &value, 4);
  const auto& board = emulator::show("shuffle_xor", &word, 1);
  const std::uint32_t from = board.words[emulator::self().lane() ^ static_cast<std::uint32_t>(mask)][0];
  std::memcpy(&value, &from, 4);
  return value;
}

inline void copy_async_16(void* shared, const void* global, bool valid) {
  emulator::self().open.push_back({shared, global, valid});
}
inline void commit_copies() {
  emulator::Thread& thread = emulator::self();
  thread.groups.push_back(std::move(thread.open));
  thread.open.clear();
}
template <int kPending>
inline void wait_copies() {
  auto& groups = emulator::self().groups;
  for (; groups.size() > static_cast<std::size_t>(kPending); groups.erase(groups.begin()))
    for (const emulator::AsyncCopy& copy : groups.front()) {
      if (copy.valid) {
        std::memcpy(copy.to, copy.from, 16);
      } else {
        std::memset(copy.to, 0, 16);
      }
    }
}

// The rows of all lanes, as addresses.
struct MatrixRows {
  explicit MatrixRows(const void* row) {
    std::uint32_t words[2];
    std::memcpy(words, &row, 8);
    board = &emulator::show("ldmatrix", words, 2);
  }
  const std::uint16_t* operator[](std::size_t lane) const {
    const std::uint16_t* row;
    std::memcpy(&row, board->words[lane].data(), 8);
    return row;
  }
  const emulator::LaneBoard* board;
};
inline void load_matrices(std::uint32_t (&r)[4], const void* row) {
  const MatrixRows rows(row);
  const std::uint32_t lane = emulator::self().lane();
  for (std::uint32_t i = 0; i < 4; ++i) {
    const std::uint16_t* from = rows[8 * i + lane / 4] + 2 * (lane % 4);
    r[i] = from[0] | static_cast<std::uint32_t>(from[1]) << 16;
  }
}
inline void load_matrices_transposed(std::uint32_t (&r)[4], const void* row) {
  const MatrixRows rows(row);
  const std::uint32_t lane = emulator::self().lane();
  for (std::uint32_t i = 0; i < 4; ++i) {
    const std::uint32_t first = 8 * i + 2 * (lane % 4);
    r[i] = rows[first][lane / 4] | static_cast<std::uint32_t>(rows[first + 1][lane / 4]) << 16;
  }
}

inline void multiply_add(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  const std::uint32_t words[6] = {a[0], a[1], a[2], a[3], b0, b1};
  const auto& board = emulator::show("mma", words, 6);
  const std::uint32_t lane = emulator::self().lane();
  const auto half = [](std::uint32_t word, std::uint32_t i) {
    return bf16_to_float(static_cast<std::uint16_t>(word >> 16 * i));
  };
  for (std::uint32_t i = 0; i < 4; ++i) {
    const std::uint32_t row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
    for (std::uint32_t k = 0; k < 16; ++k)
      d[i] += half(board.words[row % 8 * 4 + k % 8 / 2][row / 8 + 2 * (k / 8)], k % 2) *
              half(board.words[column * 4 + k % 8 / 2][4 + k / 8], k % 2);
  }
}

inline void multiply_add_s8(std::int32_t (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                            std::uint32_t b1) {
  const std::uint32_t words[6] = {a[0], a[1], a[2], a[3], b0, b1};
  const auto& board = emulator::show("mma s8", words, 6);
  const std::uint32_t lane = emulator::self().lane();
  const auto byte = [](std::uint32_t word, std::uint32_t i) {
    return static_cast<std::int32_t>(static_cast<std::int8_t>(word >> 8 * i));
  };
  for (std::uint32_t i = 0; i < 4; ++i) {
    const std::uint32_t row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
    for (std::uint32_t k = 0; k < 32; ++k)
      d[i] += byte(board.words[row % 8 * 4 + k % 16 / 4][row / 8 + 2 * (k / 16)], k % 4) *
              byte(board.words[column * 4 + k % 16 / 4][4 + k / 16], k % 4);
  }
}

}  // namespace rushes::kernels::device
