#include "kernels/host_backend.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "kernels/check.h"

namespace rushes::kernels {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSlabBytes = std::size_t{32} << 20;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t round_up(std::size_t value, std::size_t step) { return (value + step - 1) / step * step; }

}  // namespace

HostPool::~HostPool() {
  for (const auto& [start, bytes] : slabs_) std::free(start);
}

void HostPool::add_slab(std::size_t bytes) {
  const std::size_t size = round_up(std::max(bytes, kSlabBytes), kHugePage);
  auto* start = static_cast<std::byte*>(std::aligned_alloc(kHugePage, size));
  if (!start) throw std::bad_alloc();
  madvise(start, size, MADV_HUGEPAGE);  // advice only: without it everything works, slower
  slabs_.emplace_back(start, size);
  memory_.pooled_bytes += size;
  insert_free(start, size);
}

void HostPool::insert_free(std::byte* start, std::size_t bytes) {
  // Slabs are separate allocations: merging across a slab border would hand out one block of two.
  const auto starts_slab = [&](const std::byte* at) {
    return std::any_of(slabs_.begin(), slabs_.end(), [&](const auto& slab) { return slab.first == at; });
  };
  auto next = free_.lower_bound(start);
  if (next != free_.end() && start + bytes == next->first && !starts_slab(next->first)) {
    bytes += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin() && !starts_slab(start)) {
    const auto previous = std::prev(next);
    if (previous->first + previous->second == start) {
      previous->second += bytes;
      return;
    }
  }
  free_.emplace(start, bytes);
}

std::byte* HostPool::take(std::size_t bytes) {
  const auto find_best = [&] {
    auto best = free_.end();
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second >= bytes && (best == free_.end() || it->second < best->second)) best = it;
    }
    return best;
  };
  auto block = find_best();
  if (block == free_.end()) {
    release_unused_slabs();  // of another stage's or another size's pieces, all too small for this one
    add_slab(bytes);
    block = find_best();
  }
  std::byte* start = block->first;
  const std::size_t rest = block->second - bytes;
  free_.erase(block);
  if (rest) free_.emplace(start + bytes, rest);
  memory_.in_use_bytes += bytes;
  memory_.peak_bytes = std::max(memory_.peak_bytes, memory_.in_use_bytes);
  return start;
}

void HostPool::give_back(std::byte* start, std::size_t bytes) {
  memory_.in_use_bytes -= bytes;
  insert_free(start, bytes);
}

void HostPool::release_unused_slabs() {
  std::erase_if(slabs_, [&](const auto& slab) {
    const auto block = free_.find(slab.first);
    if (block == free_.end() || block->second != slab.second) return false;
    memory_.pooled_bytes -= slab.second;
    free_.erase(block);
    std::free(slab.first);
    return true;
  });
}

void HostPool::reserve(std::size_t bytes) {
  if (memory_.pooled_bytes >= bytes) return;
  release_unused_slabs();
  add_slab(bytes - std::min(bytes, memory_.in_use_bytes));
}

HostBuffer::HostBuffer(std::shared_ptr<HostPool> pool, std::size_t bytes)
    : Buffer(bytes),
      pool_(std::move(pool)),
      capacity_(round_up(std::max<std::size_t>(bytes, 1), kAlignment)),
      data_(pool_->take(capacity_)) {}

HostBuffer::~HostBuffer() { pool_->give_back(data_, capacity_); }

std::byte* host_bytes(const Tensor& x) {
  auto* buffer = dynamic_cast<HostBuffer*>(x.buffer());
  if (!buffer) refuse("operand", x.empty() ? "an empty tensor" : "a tensor of another device");
  return buffer->data() + x.offset();
}

RowGroups::RowGroups(const char* op, const Tensor& parameters, const Tensor& group, std::int64_t rows) {
  if (parameters.empty()) return;
  data_ = host_data<float>(parameters);
  groups_ = parameters.dim(0);
  cols_ = parameters.dim(1);
  if (group.empty() || groups_ == 1) return;
  group_ = host_data<std::int32_t>(group);
  for (std::int64_t r = 0; r < rows; ++r)
    require(group_[r] >= 0 && group_[r] < groups_, op, "group out of range");
}

const KeyTilePlan* host_plan(const AttentionOptions& options, std::int64_t heads, std::int64_t lq,
                             std::int64_t lk) {
  if (!options.key_tiles) return nullptr;
  const auto* tiles = dynamic_cast<const HostKeyTiles*>(options.key_tiles.get());
  require(tiles != nullptr, "attention", "key tiles of another device");
  const KeyTilePlan& plan = tiles->plan;
  require(plan.heads == heads && plan.query_length == lq && plan.key_length == lk, "attention",
          "key tiles planned for another geometry");
  return &plan;
}

void check_host_mask(const AttentionOptions& options, std::int64_t batch, std::int64_t lk) {
  if (options.key_mask.empty()) return;
  require(!options.key_tiles, "attention", "key_mask and key_tiles exclude each other");
  const auto* mask = host_data<std::int32_t>(options.key_mask);
  for (std::int64_t b = 0; b < batch; ++b) {
    require(std::any_of(mask + b * lk, mask + (b + 1) * lk, [](std::int32_t m) { return m != 0; }),
            "attention", "key_mask excludes every key");
  }
}

Tensor HostBackend::empty(DType dtype, Shape shape) {
  require(dtype == DType::kF32 || dtype == DType::kBf16 || dtype == DType::kI32, "empty",
          std::string("no ") + dtype_name(dtype) + " tensors on the device");
  const auto count = static_cast<std::size_t>(element_count(shape));
  require(count <= SIZE_MAX / 8, "empty", "impossible size " + to_string(shape));
  return Tensor(std::make_shared<HostBuffer>(pool_, count * dtype_bytes(dtype)), 0, dtype, std::move(shape));
}

Tensor HostBackend::upload(const HostTensor& host) {
  require(!host.empty(), "upload", "an empty host tensor");
  if (host.dtype == DType::kF16 || host.dtype == DType::kF8E4M3) return upload_f32(host);
  Tensor x = empty(host.dtype, host.shape);
  if (x.bytes()) std::memcpy(host_bytes(x), host.data, x.bytes());
  return x;
}

Tensor HostBackend::upload_f32(const HostTensor& host) {
  const std::vector<float> values = widen(host);
  Tensor x = empty(DType::kF32, host.shape);
  if (x.bytes()) std::memcpy(host_bytes(x), values.data(), x.bytes());
  return x;
}

void HostBackend::download(const Tensor& x, void* out) {
  if (x.elements() == 0) return;
  if (x.dtype() != DType::kBf16) {
    std::memcpy(out, host_bytes(x), x.bytes());
    return;
  }
  const auto* in = host_data<std::uint16_t>(x);
  auto* values = static_cast<float*>(out);
  for (std::int64_t i = 0; i < x.elements(); ++i) values[i] = bf16_to_float(in[i]);
}

KeyTilesPtr HostBackend::prepare_key_tiles(const KeyTilePlan& plan) {
  check_key_tile_plan(plan);
  auto tiles = std::make_shared<HostKeyTiles>();
  tiles->plan = plan;
  return tiles;
}

void HostBackend::fill(const Tensor& x, float value) {
  require(x.dtype() != DType::kI32, "fill", "expected a float tensor");
  if (x.dtype() == DType::kF32) {
    std::fill_n(host_data<float>(x), x.elements(), value);
  } else {
    std::fill_n(host_data<std::uint16_t>(x), x.elements(), float_to_bf16(value));
  }
}

void HostBackend::fill_noise(const Tensor& x, const std::vector<NoiseSource>& frames,
                             const NoisePlace& first) {
  check_fill_noise(x, frames);
  const auto size = [&](int axis) { return static_cast<std::uint32_t>(x.dim(axis)); };
  auto* out = host_data<float>(x);
  for (std::uint32_t c = 0; c < size(0); ++c)
    for (std::uint32_t t = 0; t < size(1); ++t, out += x.dim(2) * x.dim(3))
      kernels::fill_noise(frames[t],
                          {{first[0] + c, first[1] + t, first[2], first[3]}, {1, 1, size(2), size(3)}}, out);
}

namespace {

void convert_run(const std::byte* in, DType from, std::byte* out, DType to, std::int64_t count) {
  if (from == to) {
    std::memcpy(out, in, static_cast<std::size_t>(count) * dtype_bytes(from));
  } else if (from == DType::kF32) {
    const auto* source = reinterpret_cast<const float*>(in);
    auto* target = reinterpret_cast<std::uint16_t*>(out);
    for (std::int64_t i = 0; i < count; ++i) target[i] = float_to_bf16(source[i]);
  } else {
    const auto* source = reinterpret_cast<const std::uint16_t*>(in);
    auto* target = reinterpret_cast<float*>(out);
    for (std::int64_t i = 0; i < count; ++i) target[i] = bf16_to_float(source[i]);
  }
}

// Row-major offset of `start` in `shape`.
std::int64_t offset_of(const Shape& shape, const Shape& start) {
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) offset = offset * shape[i] + start[i];
  return offset;
}

// Advances a counter over all but the last dimension; false after the last one.
bool advance(Shape& index, const Shape& extent) {
  for (std::size_t i = extent.size() - 1; i-- > 0;) {
    if (++index[i] < extent[i]) return true;
    index[i] = 0;
  }
  return false;
}

}  // namespace

void HostBackend::copy_box(const Tensor& source, const Shape& source_start, const Tensor& target,
                           const Shape& target_start, const Shape& extent) {
  check_copy_box(source, source_start, target, target_start, extent);
  if (element_count(extent) == 0) return;
  // Trailing dimensions that are copied whole on both sides are one run.
  std::size_t inner = extent.size() - 1;
  std::int64_t run = extent[inner];
  while (inner > 0 && extent[inner] == source.shape()[inner] && extent[inner] == target.shape()[inner]) {
    run *= extent[--inner];
  }
  const std::byte* in = host_bytes(source);
  std::byte* out = host_bytes(target);
  Shape outer(extent.begin(), extent.begin() + static_cast<std::ptrdiff_t>(inner) + 1);
  Shape index(outer.size(), 0);
  do {
    Shape from = source_start, to = target_start;
    for (std::size_t i = 0; i < inner; ++i) from[i] += index[i], to[i] += index[i];
    const auto at = [](const Tensor& x, const Shape& start) {
      return static_cast<std::size_t>(offset_of(x.shape(), start)) * dtype_bytes(x.dtype());
    };
    convert_run(in + at(source, from), source.dtype(), out + at(target, to), target.dtype(), run);
  } while (advance(index, outer));
}

namespace {

template <typename T>
void permute_elements(const T* in, const Shape& extent, const Shape& stride, T* out) {
  const std::int64_t count = extent.back(), step = stride.back();
  Shape index(extent.size(), 0);
  do {
    const T* from = in;
    for (std::size_t i = 0; i + 1 < extent.size(); ++i) from += index[i] * stride[i];
    if (step == 1) {
      std::memcpy(out, from, static_cast<std::size_t>(count) * sizeof(T));
    } else {
      for (std::int64_t i = 0; i < count; ++i) out[i] = from[i * step];
    }
    out += count;
  } while (advance(index, extent));
}

}  // namespace

void HostBackend::permute(const Tensor& x, const std::vector<int>& order, const Tensor& y) {
  check_permute(x, order, y);
  if (x.elements() == 0) return;
  Shape in_stride(x.shape().size(), 1);
  for (std::size_t i = in_stride.size(); i-- > 1;) in_stride[i - 1] = in_stride[i] * x.shape()[i];
  // Output dimensions that follow each other in the input as well are merged: longer runs, fewer counters.
  Shape extent, stride;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::int64_t size = y.shape()[i];
    const std::int64_t step = in_stride[static_cast<std::size_t>(order[i])];
    if (size == 1) continue;
    if (!extent.empty() && stride.back() == step * size) {
      extent.back() *= size;
      stride.back() = step;
    } else {
      extent.push_back(size);
      stride.push_back(step);
    }
  }
  if (extent.empty()) extent = stride = {1};
  if (x.dtype() == DType::kBf16) {
    permute_elements(host_data<std::uint16_t>(x), extent, stride, host_data<std::uint16_t>(y));
  } else {
    permute_elements(host_data<std::uint32_t>(x), extent, stride, host_data<std::uint32_t>(y));
  }
}

void HostBackend::gather_rows(const Tensor& table, const Tensor& index, const Tensor& y) {
  const Rows rows = check_gather(table, index, y, operand_dtype());
  const auto* ids = host_data<std::int32_t>(index);
  const std::int64_t in_row = rows.cols * static_cast<std::int64_t>(dtype_bytes(table.dtype()));
  const std::int64_t out_row = rows.cols * static_cast<std::int64_t>(dtype_bytes(y.dtype()));
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    require(ids[r] >= 0 && ids[r] < table.dim(0), "gather_rows",
            "index " + std::to_string(ids[r]) + " outside a table of " + std::to_string(table.dim(0)));
    convert_run(host_bytes(table) + ids[r] * in_row, table.dtype(), host_bytes(y) + r * out_row, y.dtype(),
                rows.cols);
  }
}

}  // namespace rushes::kernels
