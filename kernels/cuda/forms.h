// The two forms of the kernels: compiled by nvcc, and emulated on the CPU. Each source adds its kernels to the table of
// its form.
#pragma once

#include "kernels/cuda/kernel_table.h"

namespace rushes::kernels::cuda {

namespace compiled {
void add_attention(KernelTable& table);
void add_attention_hopper(KernelTable& table);
void add_attention_s8(KernelTable& table);
void add_attention_s8_f8(KernelTable& table);
void add_attention_s8_hopper(KernelTable& table);
void add_elementwise(KernelTable& table);
void add_exact(KernelTable& table);
void add_movement(KernelTable& table);
void add_quantise(KernelTable& table);
void add_quantise_f8(KernelTable& table);
void add_rows(KernelTable& table);
void add_rows_f8(KernelTable& table);
}  // namespace compiled

namespace emulated {
void add_attention(KernelTable& table);
void add_attention_hopper(KernelTable& table);
void add_attention_s8(KernelTable& table);
void add_attention_s8_f8(KernelTable& table);
void add_attention_s8_hopper(KernelTable& table);
void add_elementwise(KernelTable& table);
void add_exact(KernelTable& table);
void add_movement(KernelTable& table);
void add_quantise(KernelTable& table);
void add_quantise_f8(KernelTable& table);
void add_rows(KernelTable& table);
void add_rows_f8(KernelTable& table);
}  // namespace emulated

}  // namespace rushes::kernels::cuda
