#include "kernels/cuda/convolutions.h"

#include <algorithm>

namespace rushes::kernels::cuda {

namespace {

constexpr std::int64_t kIdX = 'x', kIdW = 'w', kIdY = 'y';

// `size` is {1, channels, time, height, width} (for weights {cout, cin, ...}), channels innermost in memory.
Dnn::Descriptor channels_last(const Dnn& dnn, std::int64_t id, Word word,
                              const std::array<std::int64_t, 5>& size) {
  const std::int64_t row = size[4] * size[1], frame = size[3] * row;
  return dnn.tensor<5>(id, word, size, {size[2] * frame, 1, frame, row, size[1]});
}

}  // namespace

std::unique_ptr<Dnn::Plan> Convolutions::plan(const Convolution& c, Word out) const {
  std::vector<Dnn::Descriptor> parts;
  parts.push_back(channels_last(dnn_, kIdX, c.word, {1, c.cin, c.size[0], c.size[1], c.size[2]}));
  parts.push_back(channels_last(dnn_, kIdW, c.word, {c.cout, c.cin, c.kernel[0], c.kernel[1], c.kernel[2]}));
  parts.push_back(channels_last(dnn_, kIdY, out, {1, c.cout, c.out[0], c.out[1], c.out[2]}));
  Dnn::Descriptor convolution(dnn_, dnn::kConvolution);
  convolution.set(dnn::kSpatialDims, dnn::kTypeInt64, std::int64_t{3})
      .set(dnn::kComputeType, dnn::kTypeDataType, dnn::kFloat32)
      .set(dnn::kConvolutionMode, dnn::kTypeConvolutionMode, dnn::kCrossCorrelation)
      .set(dnn::kPaddingBefore, c.padding)
      .set(dnn::kPaddingBehind, c.padding)
      .set(dnn::kStrides, c.stride)
      .set(dnn::kDilations, std::array<std::int64_t, 3>{1, 1, 1})
      .finalize();
  Dnn::Descriptor forward(dnn_, dnn::kConvolutionForward);
  forward.set(dnn::kForwardX, parts[0])
      .set(dnn::kForwardW, parts[1])
      .set(dnn::kForwardY, parts[2])
      .set(dnn::kForwardConvolution, convolution)
      .set(dnn::kForwardAlpha, dnn::kTypeFloat, 1.0f)
      .set(dnn::kForwardBeta, dnn::kTypeFloat, 0.0f);
  parts.push_back(std::move(convolution));
  parts.push_back(std::move(forward));
  return dnn_.plan(std::move(parts), c.word);
}

const Convolutions::Known& Convolutions::known(const Convolution& c) {
  Key key = {c.word, c.cin, c.cout};
  auto at = key.begin() + 3;
  for (const auto* part : {&c.size, &c.kernel, &c.stride, &c.padding, &c.out})
    at = std::copy(part->begin(), part->end(), at);
  const auto found = plans_.find(key);
  if (found != plans_.end()) return found->second;
  Known made{plan(c, kWordF32), kWordF32};
  if (!made.plan && c.word != kWordF32) made = {plan(c, c.word), c.word};
  return plans_.emplace(key, std::move(made)).first->second;
}

std::optional<Word> Convolutions::word_of_y(const Convolution& shape) {
  const Known& known = this->known(shape);
  return known.plan ? std::optional(known.out) : std::nullopt;
}

void Convolutions::run(const Convolution& shape, const void* x, const void* w, void* y) {
  const std::array<std::int64_t, 3> ids = {kIdX, kIdW, kIdY};
  const std::array<void*, 3> pointers = {const_cast<void*>(x), const_cast<void*>(w), y};
  dnn_.run(*known(shape).plan, ids, pointers);
}

}  // namespace rushes::kernels::cuda
