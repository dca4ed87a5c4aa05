// Recomputing the outputs of a golden file from its own weights and inputs.
//
// A golden file is a safetensors file whose `__metadata__` says what it is (`kind`) and how large; `in.*` are
// inputs, `out.*` what the official code gave, every other tensor a weight. Nothing about sizes is known
// beforehand: other files of the same kinds have other seeds, widths, grids and step counts.
//
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "config/schedule.h"
#include "kernels/backend.h"
#include "worker/model/safetensors.h"
#include "worker/model/volume.h"

namespace rushes::parity {

// One recomputed output.
struct Output {
  std::string name;           // with "out."
  std::vector<float> values;  // in the order of the file's tensor
  double tolerance = 0;       // relative L2 that passes; 0 = every value must be equal
  // Elements [first, last) that count; empty = all. (Text encoders: rows of padding do not count.)
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
};

struct Compared {
  std::string name;
  double relative_l2 = 0;  // ||a - b|| / ||b||, NaN if any number is not finite where the reference is
  double tolerance = 0;
  bool ok = false;
  std::string note;  // why it failed where that is not the figure
};

// Which engine recomputes.
struct Engine {
  kernels::Backend* backend = nullptr;
  kernels::Precision precision = kernels::Precision::kF32;
  double pick(double fp32, double bf16) const { return precision == kernels::Precision::kF32 ? fp32 : bf16; }
};

// All outputs of the file. kInvalid for a kind that is not supported, kCorrupt for a file that does not hold
// what its kind needs.
Result<std::vector<Output>> recompute(const worker::TensorFile& file, const Engine& engine);

// Every `out.*` of the file against what was recomputed; an output that nobody recomputed fails.
std::vector<Compared> compare(const worker::TensorFile& file, const std::vector<Output>& outputs);

// Writes the recomputed outputs with the file's own dtypes and shapes and its metadata.
Status dump(const worker::TensorFile& file, const std::vector<Output>& outputs, const std::string& path);

// rushes-parity from its arguments to its exit code (program.cpp).
int run_program(int argc, char** argv);

// ---- one function per kind
using Outputs = Result<std::vector<Output>>;
Outputs recompute_dit(const worker::TensorFile& file, const Engine& engine);  // t2v, i2v, vace, ti2v
Outputs recompute_cross_attention(const worker::TensorFile& file, const Engine& engine);
Outputs recompute_cfg_sample(const worker::TensorFile& file, const Engine& engine);
Outputs recompute_vae(const worker::TensorFile& file, const Engine& engine);
Outputs recompute_umt5(const worker::TensorFile& file, const Engine& engine);
Outputs recompute_schedulers(const worker::TensorFile& file, const Engine& engine);

// A solver as golden files name it: "unipc", "dpmpp", "euler_unipc", "euler_dpmpp", "euler_diffusers".
struct Solver {
  const char* name;
  config::Sampler sampler;
  config::SigmaList list;
};
const Solver* find_solver(const std::string& name);  // null when unknown

// ---- reading metadata and inputs
// A number of the metadata, or of the JSON in its `config`. kCorrupt when it is missing or no number.
Result<double> meta_number(const worker::TensorFile& file, const std::string& key);
Result<std::int64_t> meta_integer(const worker::TensorFile& file, const std::string& key);
// head_dim, or dim / num_heads.
Result<std::int64_t> head_dim(const worker::TensorFile& file);
// Tensor NAME [C, T, H, W].
Result<worker::Volume> volume(const worker::TensorFile& file, const std::string& name);

}  // namespace rushes::parity
