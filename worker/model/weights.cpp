#include "worker/model/weights.h"

#include <algorithm>

namespace rushes::worker {

using kernels::DType;
using kernels::HostTensor;
using kernels::Shape;

namespace {

std::optional<DType> float_type(StoredType type) {
  switch (type) {
    case StoredType::kF32:
      return DType::kF32;
    case StoredType::kF16:
      return DType::kF16;
    case StoredType::kBF16:
      return DType::kBf16;
    default:
      return std::nullopt;
  }
}

bool is_weight(std::string_view name) {
  return !name.starts_with("in.") && !name.starts_with("out.") && !name.starts_with("mid.");
}

}  // namespace

Weights::Weights(const TensorFile& file, kernels::Backend& backend, std::string prefix)
    : file_(file), backend_(backend), prefix_(std::move(prefix)) {}

void Weights::error(std::string message) {
  if (!error_) error_ = std::move(message);
}

Shape Weights::shape(std::string_view name, std::size_t rank) {
  const std::string full = prefix_ + std::string(name);
  const StoredTensor* found = file_.find(full);
  if (!found)
    error("tensor '" + full + "' is missing");
  else if (found->shape.size() != rank)
    error("tensor '" + full + "': expected " + std::to_string(rank) + " dimensions, found " +
          shape_text(found->shape));
  else if (std::any_of(found->shape.begin(), found->shape.end(), [](std::int64_t n) { return n < 1; }))
    error("tensor '" + full + "': empty shape " + shape_text(found->shape));
  else
    return found->shape;
  return Shape(rank, 1);
}

HostTensor Weights::take(std::string_view name, const Shape& shape) {
  const std::string full = prefix_ + std::string(name);
  const StoredTensor* found = file_.find(full);
  if (!found) {
    error("tensor '" + full + "' is missing");
    return {};
  }
  const std::string& file = file_.files()[found->file];
  if (found->shape != shape) {
    error("tensor '" + full + "' in " + file + ": expected shape " + shape_text(shape) + ", found " +
          shape_text(found->shape));
    return {};
  }
  const auto type = float_type(found->type);
  if (!type) {
    error("tensor '" + full + "' in " + file + ": expected F32, F16 or BF16, found " +
          std::string(stored_name(found->type)));
    return {};
  }
  taken_.insert(full);
  return {found->data.data(), *type, shape};
}

kernels::Tensor Weights::tensor(std::string_view name, const Shape& shape, Shape as) {
  const HostTensor host = take(name, shape);
  if (host.empty()) return {};
  if (as.empty()) as = shape;
  return backend_.upload(kernels::host_tensor(kernels::widen(host), as));
}

kernels::LinearPtr Weights::linear(std::string_view name, std::int64_t out, std::int64_t in, bool bias,
                                   std::optional<kernels::Precision> precision) {
  const std::string base(name);
  const HostTensor weight = take(base + ".weight", {out, in});
  const HostTensor offset = bias ? take(base + ".bias", {out}) : HostTensor{};
  if (error_) return nullptr;
  return backend_.prepare_linear(weight, offset, precision);
}

kernels::Conv3dPtr Weights::conv(std::string_view name, const Shape& shape, kernels::Strides strides) {
  const std::string base(name);
  const HostTensor weight = take(base + ".weight", shape), bias = take(base + ".bias", {shape[0]});
  if (error_) return nullptr;
  return backend_.prepare_conv3d(weight, bias, strides);
}

kernels::LinearPtr Weights::rows(std::string_view name, const Shape& shape, std::int64_t begin,
                                 std::int64_t end) {
  const std::string base(name);
  HostTensor weight = take(base + ".weight", shape), bias = take(base + ".bias", {shape[0]});
  if (error_) return nullptr;
  const auto part = [&](const HostTensor& whole, std::int64_t width, Shape part_shape) {
    const auto skip = static_cast<std::size_t>(begin * width) * kernels::dtype_bytes(whole.dtype);
    return HostTensor{static_cast<const std::byte*>(whole.data) + skip, whole.dtype, std::move(part_shape)};
  };
  return backend_.prepare_linear(part(weight, shape[1], {end - begin, shape[1]}),
                                 part(bias, 1, {end - begin}));
}

Status Weights::finish() const {
  if (error_) return fail(ErrorKind::kCorrupt, file_.path() + ": " + *error_);
  std::string unexpected;
  int count = 0;
  for (const auto& [name, tensor] : file_.tensors())
    if (is_weight(name) && !taken_.contains(name) && ++count <= 3)
      unexpected += (unexpected.empty() ? "'" : ", '") + name + "'";
  if (count > 0)
    return fail(ErrorKind::kCorrupt, file_.path() + ": " + std::to_string(count) +
                                         " tensors that this architecture does not have: " + unexpected +
                                         (count > 3 ? ", ..." : ""));
  return {};
}

}  // namespace rushes::worker
