#include "kernels/tensor.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace rushes::kernels {

std::size_t dtype_bytes(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kBf16:
    case DType::kF16:
      return 2;
    case DType::kF8E4M3:
      return 1;
  }
  throw std::invalid_argument("kernels: unknown dtype");
}

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kBf16:
      return "bf16";
    case DType::kI32:
      return "i32";
    case DType::kF16:
      return "f16";
    case DType::kF8E4M3:
      return "f8e4m3";
  }
  throw std::invalid_argument("kernels: unknown dtype");
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t dim : shape) {
    if (dim < 0 || __builtin_mul_overflow(count, dim, &count)) {
      throw std::invalid_argument("kernels: impossible shape " + to_string(shape));
    }
  }
  return count;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Tensor::Tensor(std::shared_ptr<Buffer> buffer, std::size_t offset, DType dtype, Shape shape)
    : buffer_(std::move(buffer)),
      offset_(offset),
      dtype_(dtype),
      shape_(std::move(shape)),
      elements_(element_count(shape_)) {
  if (!buffer_ || offset_ > buffer_->bytes() ||
      static_cast<std::size_t>(elements_) > (buffer_->bytes() - offset_) / dtype_bytes(dtype_)) {
    throw std::invalid_argument("kernels: a view " + to_string(shape_) + " outside its buffer");
  }
}

std::int64_t Tensor::dim(int axis) const {
  const int index = axis < 0 ? rank() + axis : axis;
  if (index < 0 || index >= rank()) {
    throw std::invalid_argument("kernels: no axis " + std::to_string(axis) + " in " + to_string(shape_));
  }
  return shape_[static_cast<std::size_t>(index)];
}

Tensor Tensor::reshape(Shape shape) const {
  if (element_count(shape) != elements_) {
    throw std::invalid_argument("kernels: cannot view " + to_string(shape_) + " as " + to_string(shape));
  }
  return Tensor(buffer_, offset_, dtype_, std::move(shape));
}

Tensor Tensor::slice(std::int64_t begin, std::int64_t end) const {
  if (rank() < 1 || begin < 0 || end < begin || end > dim(0)) {
    throw std::invalid_argument("kernels: no rows [" + std::to_string(begin) + ", " + std::to_string(end) +
                                ") in " + to_string(shape_));
  }
  Shape shape = shape_;
  shape[0] = end - begin;
  const std::int64_t row = dim(0) ? elements_ / dim(0) : 0;
  return Tensor(buffer_, offset_ + static_cast<std::size_t>(begin * row) * dtype_bytes(dtype_), dtype_,
                std::move(shape));
}

Tensor Tensor::at(std::int64_t i) const {
  const Tensor row = slice(i, i + 1);
  return row.reshape(Shape(shape_.begin() + 1, shape_.end()));
}

HostTensor host_tensor(const std::vector<float>& values, Shape shape) {
  if (element_count(shape) != static_cast<std::int64_t>(values.size())) {
    throw std::invalid_argument("kernels: " + std::to_string(values.size()) + " values for " +
                                to_string(shape));
  }
  return {values.data(), DType::kF32, std::move(shape)};
}

HostTensor host_tensor(const std::vector<std::int32_t>& values, Shape shape) {
  if (element_count(shape) != static_cast<std::int64_t>(values.size())) {
    throw std::invalid_argument("kernels: " + std::to_string(values.size()) + " values for " +
                                to_string(shape));
  }
  return {values.data(), DType::kI32, std::move(shape)};
}

float bf16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

std::uint16_t float_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float f16_to_float(std::uint16_t bits) {
  const float sign = bits & 0x8000u ? -1.0f : 1.0f;
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  if (exponent == 31) return mantissa ? std::numeric_limits<float>::quiet_NaN() : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  return sign * std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
}

float f8e4m3_to_float(std::uint8_t bits) {
  const float sign = bits & 0x80u ? -1.0f : 1.0f;
  const int exponent = (bits >> 3) & 15;
  const int mantissa = bits & 7;
  if (exponent == 15 && mantissa == 7) return std::numeric_limits<float>::quiet_NaN();
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -9);
  return sign * std::ldexp(static_cast<float>(mantissa + 8), exponent - 10);
}

std::uint8_t float_to_f8e4m3(float value) {
  const unsigned sign = std::signbit(value) ? 0x80u : 0u;
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return static_cast<std::uint8_t>(sign | 0x7fu);
  if (magnitude >= 448.0f) return static_cast<std::uint8_t>(sign | 0x7eu);
  // Steps of 2^(exponent - 3); those below 2^-6 are as wide as those of 2^-6. A step up from the last of an exponent is
  // the first of the next one.
  const int exponent = magnitude < 0x1p-6f ? -6 : std::ilogb(magnitude);
  const auto steps = static_cast<unsigned>(std::nearbyint(std::ldexp(magnitude, 3 - exponent)));
  return static_cast<std::uint8_t>(sign | (steps + 8 * static_cast<unsigned>(exponent + 6)));
}

std::vector<float> widen(const HostTensor& host) {
  const auto count = static_cast<std::size_t>(element_count(host.shape));
  std::vector<float> out(count);
  const auto* bytes = static_cast<const unsigned char*>(host.data);
  const auto half = [&](std::size_t i) {
    std::uint16_t bits;
    std::memcpy(&bits, bytes + 2 * i, 2);
    return bits;
  };
  switch (host.dtype) {
    case DType::kF32:
      if (count) std::memcpy(out.data(), bytes, 4 * count);
      return out;
    case DType::kBf16:
      for (std::size_t i = 0; i < count; ++i) out[i] = bf16_to_float(half(i));
      return out;
    case DType::kF16:
      for (std::size_t i = 0; i < count; ++i) out[i] = f16_to_float(half(i));
      return out;
    case DType::kF8E4M3:
      for (std::size_t i = 0; i < count; ++i) out[i] = f8e4m3_to_float(bytes[i]);
      return out;
    case DType::kI32:
      break;
  }
  throw std::invalid_argument(std::string("kernels: cannot widen ") + dtype_name(host.dtype));
}

}  // namespace rushes::kernels
