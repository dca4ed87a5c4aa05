// Tensors: where numbers lie and what shape they have. No arithmetic.
//
// A Tensor is a view: a shared device buffer, a byte offset, a dtype and a shape; the elements are dense and
// row-major (the last dimension is contiguous). Copying a Tensor copies the view, never the numbers. Memory
// belongs to the backend that made it (Backend::empty, Backend::upload) and goes back to that backend's pool
// with the last view. A default-constructed Tensor is empty; operations take it where an operand is optional.
//
// Thread contract: value types. A Tensor's numbers are touched only through its backend, on that backend's
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace rushes::kernels {

// kF8E4M3: 1-4-3 bits, bias 7, no infinities, 0x7f/0xff are NaN (OCP 8-bit Floating Point
// Specification, 1.0). kF16 and kF8E4M3 exist on the host only: upload and prepare_* widen them.
enum class DType : std::uint8_t { kF32, kBf16, kI32, kF16, kF8E4M3 };

std::size_t dtype_bytes(DType dtype);
const char* dtype_name(DType dtype);

using Shape = std::vector<std::int64_t>;

// Product of the dimensions; 1 for rank 0. Throws std::invalid_argument if one is negative or the product
// overflows.
std::int64_t element_count(const Shape& shape);
std::string to_string(const Shape& shape);  // "[180, 256]"

// Device memory. Opaque: only the backend that made it knows what is inside.
class Buffer {
 public:
  virtual ~Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  std::size_t bytes() const { return bytes_; }

 protected:
  explicit Buffer(std::size_t bytes) : bytes_(bytes) {}

 private:
  std::size_t bytes_;
};

class Tensor {
 public:
  Tensor() = default;
  // Throws std::invalid_argument if the view does not fit into the buffer.
  Tensor(std::shared_ptr<Buffer> buffer, std::size_t offset, DType dtype, Shape shape);

  bool empty() const { return buffer_ == nullptr; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int rank() const { return static_cast<int>(shape_.size()); }
  std::int64_t dim(int axis) const;  // negative axes count from the end
  std::int64_t elements() const { return elements_; }
  std::size_t bytes() const { return static_cast<std::size_t>(elements_) * dtype_bytes(dtype_); }
  std::size_t offset() const { return offset_; }  // bytes from the start of the buffer
  Buffer* buffer() const { return buffer_.get(); }

  // The same elements under another shape of the same element count.
  Tensor reshape(Shape shape) const;
  // Indices [begin, end) of the first dimension.
  Tensor slice(std::int64_t begin, std::int64_t end) const;
  // Index `i` of the first dimension, that dimension removed.
  Tensor at(std::int64_t i) const;

 private:
  std::shared_ptr<Buffer> buffer_;
  std::size_t offset_ = 0;
  DType dtype_ = DType::kF32;
  Shape shape_;
  std::int64_t elements_ = 0;
};

// Numbers in host memory, for example inside a mapped weights file: dense, row-major, any alignment, not
// owned.
struct HostTensor {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;

  bool empty() const { return data == nullptr; }
};

// Convenience for a vector that outlives the call.
HostTensor host_tensor(const std::vector<float>& values, Shape shape);
HostTensor host_tensor(const std::vector<std::int32_t>& values, Shape shape);

// Conversions. Rounding is to nearest, ties to even; NaN stays NaN.
float bf16_to_float(std::uint16_t bits);
std::uint16_t float_to_bf16(float value);
float f16_to_float(std::uint16_t bits);
float f8e4m3_to_float(std::uint8_t bits);
std::uint8_t float_to_f8e4m3(float value);  // magnitudes above 448 become 448
// Any host dtype but kI32 as floats.
std::vector<float> widen(const HostTensor& host);

}  // namespace rushes::kernels
