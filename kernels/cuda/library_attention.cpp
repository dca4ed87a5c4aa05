#include "kernels/cuda/library_attention.h"

namespace rushes::kernels::cuda {

namespace {

constexpr std::int64_t kIdQ = 'q', kIdK = 'k', kIdV = 'v', kIdY = 'y', kIdScale = 's';

// [B, L, heads, width] in memory, which the library names {B, heads, L, width}.
Dnn::Descriptor sequence(const Dnn& dnn, std::int64_t id, std::int64_t batch, std::int64_t heads,
                         std::int64_t length, std::int64_t width) {
  const std::int64_t row = heads * width;
  return dnn.tensor<4>(id, kWordBf16, {batch, heads, length, width}, {length * row, width, row, 1});
}

}  // namespace

std::unique_ptr<Dnn::Plan> LibraryAttention::make_plan(const AttentionArguments& a, int batch,
                                                       int width) const {
  std::vector<Dnn::Descriptor> parts;
  parts.push_back(sequence(dnn_, kIdQ, batch, a.heads, a.lq, width));
  parts.push_back(sequence(dnn_, kIdK, batch, a.heads, a.lk, width));
  parts.push_back(sequence(dnn_, kIdV, batch, a.heads, a.lk, width));
  parts.push_back(sequence(dnn_, kIdY, batch, a.heads, a.lq, width));
  parts.push_back(dnn_.scalar(kIdScale));
  Dnn::Descriptor attention(dnn_, dnn::kSdpa);
  attention.set(dnn::kSdpaQ, parts[0])
      .set(dnn::kSdpaK, parts[1])
      .set(dnn::kSdpaV, parts[2])
      .set(dnn::kSdpaO, parts[3])
      .set(dnn::kSdpaScale, parts[4]);
  parts.push_back(std::move(attention));
  return dnn_.plan(std::move(parts), kWordBf16);
}

const Dnn::Plan* LibraryAttention::plan(const AttentionArguments& a, int batch, int width) {
  const Key key = {batch, a.heads, a.lq, a.lk, width};
  const auto found = plans_.find(key);
  if (found != plans_.end()) return found->second.get();
  return plans_.emplace(key, make_plan(a, batch, width)).first->second.get();
}

bool LibraryAttention::takes(const AttentionArguments& a, int batch, int width) {
  return a.first == nullptr && plan(a, batch, width) != nullptr;
}

void LibraryAttention::run(const AttentionArguments& a, int batch, int width) {
  float scale = a.scale;
  const auto data = [](const std::uint16_t* start) { return const_cast<std::uint16_t*>(start); };
  const std::array<std::int64_t, 5> ids = {kIdQ, kIdK, kIdV, kIdY, kIdScale};
  const std::array<void*, 5> pointers = {data(a.q), data(a.k), data(a.v), a.y, &scale};
  dnn_.run(*plan(a, batch, width), ids, pointers);
}

}  // namespace rushes::kernels::cuda
