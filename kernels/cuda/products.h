// Matrix products by cuBLASLt: descriptors and algorithms made once per shape, sums in fp32.
//
// Thread contract: under CudaDevice::enter().
#pragma once

#include <array>
#include <map>
#include <memory>

#include "kernels/cuda/blas_api.h"
#include "kernels/cuda/vector.h"

namespace rushes::kernels::cuda {

class CudaDevice;

// D = epilogue(op(A) B) (+ D) per batch entry, column-major: A is [k, m] and transposed, or [m, k]; B is [k, n], D is [m, n].
// `stride_*` from column to column, `batch_*` from entry to entry, in elements. A and B have one word. In kWordE4m3 A is
// transposed, and each row of op(A) and column of B has a scale, which multiplies its results.
struct Product {
  std::int64_t m = 0, n = 0, k = 0, batches = 1;
  bool transpose_a = true;
  Vector a = {}, b = {}, d = {};
  std::int64_t stride_a = 0, stride_b = 0, stride_d = 0;
  std::int64_t batch_a = 0, batch_b = 0, batch_d = 0;
  const float *scale_a = nullptr, *scale_b = nullptr;  // [m], [n], of kWordE4m3
  // What the epilogue should do; [m] in D's word, bf16 for operands in kWordE4m3. Null: no bias.
  const void* bias = nullptr;
  bool gelu = false;        // the tanh form
  bool accumulate = false;  // adds to D; without epilogue
};
// What the library did of it; the rest is the caller's.
struct Epilogue {
  bool bias = false, gelu = false;
};

class Products {
 public:
  explicit Products(CudaDevice& device);
  ~Products();
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;

  const BlasApi& api() const { return api_; }
  // Whether the library and the device have an algorithm for it.
  bool takes(const Product& product);
  // Whether the library does this product's bias and activation as it computes.
  Epilogue epilogue(const Product& product);
  // Queues the product, with epilogue(product).
  void run(const Product& product);

 private:
  struct Plan;
  using Key = std::array<std::int64_t, 18>;

  const Plan* find_plan(const Product& product);  // null: none
  const Plan& plan(const Product& product);
  std::unique_ptr<Plan> make_plan(const Product& product) const;
  bool try_plan(Plan& plan, const Product& product, Epilogue epilogue) const;
  void check(int status, const char* call) const;

  CudaDevice& device_;
  const BlasApi& api_;
  void* handle_ = nullptr;
  std::map<Key, std::unique_ptr<Plan>> plans_;
};

}  // namespace rushes::kernels::cuda
