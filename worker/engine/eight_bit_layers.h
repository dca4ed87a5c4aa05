// Which layers of a host's models stay in bf16 where worker.yaml says `eight_bit: true`: their attention, or the products of
// the video tokens with their weights.
//
// Every layer is judged once, when an engine starts, on operands that do not depend on any task: the model's own, two passes
// from a fixed noise and prompt. What is found is the same for every engine of a numeric class, and is part of the class's
// name: two workers that keep other layers in bf16 are not one class.
//
// Thread contract: one thread.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "config/digest.h"
#include "config/result.h"
#include "kernels/backends.h"
#include "worker/model/model.h"

namespace rushes::worker {

// By model digest. A model without any is not listed, so that hosts with other models beside the same ones may be of one
// class; nor is what the device has not: that is told by the class's other words.
using EightBitLayers = std::map<Digest, LayersInBf16>;
// "1a2b3c4d5e6f keeps attention of layers 3 7, products of layers 0 in bf16; ..."; empty: none.
std::string to_string(const EightBitLayers& layers);

struct JudgedModels {
  EightBitLayers in_bf16;
  std::set<Digest> judged;         // the others must not be computed with 8 bits
  std::vector<std::string> notes;  // lines for the worker's log: a summary of each model, its worst layers
};

// The models of these roots on the GPU of `plain` (the options of a backend without 8 bits). A model that cannot be opened or
// does not fit is left out and noted. Error: kExhausted, the device failed.
Result<JudgedModels> judge_models(const std::vector<std::filesystem::path>& roots,
                                  const kernels::BackendOptions& plain, kernels::Backend& pixels);

struct LayerVerdicts {
  std::vector<int> in_bf16;        // ascending
  std::vector<std::string> lines;  // EightBitVerdict::text() of those
  int judged = 0;                  // layers that 8 bits would compute
  double worst = 0;                // distance of a layer that passes
};
struct ModelVerdicts {
  LayerVerdicts attention, products;  // of a layer's products the worst
};

// One model, open on a backend of the device of both others. Its passes are computed in bf16. Throws what backends throw.
Result<ModelVerdicts> judge_layers(Model& model, kernels::Backend& eight_bit, kernels::Backend& bf16);

}  // namespace rushes::worker
