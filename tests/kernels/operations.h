// One random case of each operation, computed on any backend from the same seed: what the comparisons run
// over.
#pragma once

#include <functional>

#include "kernels/layout.h"
#include "tests/kernels/support.h"

namespace rushes::kernels {

struct Operation {
  const char* name;
  // Which tolerance class it is: products lose more in bf16; the exact ones have the same bits everywhere.
  enum Kind { kRows, kProduct, kAttention, kExact } kind;
  std::function<std::vector<float>(Backend&, Random)> run;
};

const std::vector<Operation>& operations();

}  // namespace rushes::kernels
