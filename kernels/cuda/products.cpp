#include "kernels/cuda/products.h"

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/workspace.h"

namespace rushes::kernels::cuda {

namespace {

constexpr std::int64_t kBestAlignment = 256;

int type_of(Word word) {
  if (word == kWordE4m3) return blas::kFloat8E4M3;
  return word == kWordF32 ? blas::kFloat32 : blas::kBfloat16;
}
const char* name_of(Word word) { return word == kWordE4m3 ? "e4m3" : word == kWordF32 ? "f32" : "bf16"; }

// The largest power of two up to 256 that divides the address.
std::int64_t alignment(const void* start) {
  const auto address = reinterpret_cast<std::uintptr_t>(start);
  return address % kBestAlignment ? static_cast<std::int64_t>(address & (~address + 1)) : kBestAlignment;
}

const BlasApi& library(DeviceApi& api) {
  std::string why;
  const BlasApi* blas = api.blas(&why);
  if (!blas) throw DeviceFault(kInvalidValue, "cuda: " + why);
  return *blas;
}

}  // namespace

// A product's descriptors, made once.
struct Products::Plan {
  explicit Plan(const BlasApi& library) : api(library) {}
  ~Plan() { reset(); }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  void reset() {
    if (product) (void)api.product_destroy(product);
    for (void*& layout : layouts) {
      if (layout) (void)api.layout_destroy(layout);
      layout = nullptr;
    }
    product = nullptr;
  }

  const BlasApi& api;
  void* product = nullptr;
  void* layouts[3] = {};  // A, B, D
  BlasHeuristic chosen{};
  Epilogue epilogue;
};

Products::Products(CudaDevice& device) : device_(device), api_(library(device.api())) {
  check(api_.create(&handle_), "cublasLtCreate");
}

Products::~Products() {
  plans_.clear();
  if (handle_) (void)api_.destroy(handle_);
}

void Products::check(int status, const char* call) const {
  if (status == kSuccess) return;
  throw DeviceFault(status,
                    std::string("cuda: ") + call + " of cuBLASLt " + std::to_string(api_.version()) +
                        " answered status " + std::to_string(status) +
                        ": the device's state may be lost: end this process and start it again; if it comes "
                        "back, report it with this line");
}

bool Products::try_plan(Plan& plan, const Product& p, Epilogue epilogue) const {
  plan.reset();
  plan.epilogue = epilogue;
  // fp32 operands are not rounded to TF32.
  check(api_.product_create(&plan.product, p.a.word == kWordF32 ? blas::kCompute32Pedantic : blas::kCompute32,
                            blas::kFloat32),
        "cublasLtMatmulDescCreate");
  const auto set = [&](int attribute, auto value) {
    check(api_.product_set(plan.product, attribute, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
  };
  set(blas::kTransposeA, std::int32_t{p.transpose_a ? blas::kTranspose : blas::kNoTranspose});
  set(blas::kTransposeB, std::int32_t{blas::kNoTranspose});
  set(blas::kEpilogue, std::int32_t{epilogue.bias && epilogue.gelu ? blas::kEpilogueGeluBias
                                    : epilogue.bias                ? blas::kEpilogueBias
                                    : epilogue.gelu                ? blas::kEpilogueGelu
                                                                   : blas::kEpilogueNone});
  if (epilogue.bias) {
    set(blas::kBiasPointer, p.bias);
    set(blas::kBiasType, std::int32_t{p.a.word == kWordE4m3 ? blas::kBfloat16 : type_of(p.d.word)});
  }
  if (p.a.word == kWordE4m3) {
    set(blas::kScaleModeA, std::int32_t{blas::kScalePerRow});
    set(blas::kScaleModeB, std::int32_t{blas::kScalePerRow});
    set(blas::kScalePointerA, p.scale_a);
    set(blas::kScalePointerB, p.scale_b);
  }
  const auto layout = [&](void** made, Word word, std::int64_t rows, std::int64_t columns,
                          std::int64_t stride, std::int64_t batch_stride) {
    check(api_.layout_create(made, type_of(word), static_cast<std::uint64_t>(rows),
                             static_cast<std::uint64_t>(columns), stride),
          "cublasLtMatrixLayoutCreate");
    if (p.batches == 1) return;
    const auto count = static_cast<std::int32_t>(p.batches);
    check(api_.layout_set(*made, blas::kBatchCount, &count, sizeof count),
          "cublasLtMatrixLayoutSetAttribute");
    check(api_.layout_set(*made, blas::kBatchStride, &batch_stride, sizeof batch_stride),
          "cublasLtMatrixLayoutSetAttribute");
  };
  layout(&plan.layouts[0], p.a.word, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, p.stride_a,
         p.batch_a);
  layout(&plan.layouts[1], p.b.word, p.k, p.n, p.stride_b, p.batch_b);
  layout(&plan.layouts[2], p.d.word, p.m, p.n, p.stride_d, p.batch_d);

  void* preference = nullptr;
  check(api_.preference_create(&preference), "cublasLtMatmulPreferenceCreate");
  const std::unique_ptr<void, int (*)(void*)> destroy(preference, api_.preference_destroy);
  const auto prefer = [&](int attribute, auto value) {
    check(api_.preference_set(preference, attribute, &value, sizeof value),
          "cublasLtMatmulPreferenceSetAttribute");
  };
  prefer(blas::kMaxWorkspace, std::size_t{kMostBlasWorkspace});
  prefer(blas::kAlignmentA, static_cast<std::uint32_t>(alignment(p.a.data)));
  prefer(blas::kAlignmentB, static_cast<std::uint32_t>(alignment(p.b.data)));
  prefer(blas::kAlignmentC, static_cast<std::uint32_t>(alignment(p.d.data)));
  prefer(blas::kAlignmentD, static_cast<std::uint32_t>(alignment(p.d.data)));
  int count = 0;
  const int status = api_.heuristic(handle_, plan.product, plan.layouts[0], plan.layouts[1], plan.layouts[2],
                                    plan.layouts[2], preference, 1, &plan.chosen, &count);
  return status == kSuccess && count > 0 && plan.chosen.state == kSuccess;
}

// Null: the library has none.
std::unique_ptr<Products::Plan> Products::make_plan(const Product& p) const {
  auto plan = std::make_unique<Plan>(api_);
  // Not every release has every epilogue for every type.
  for (const Epilogue epilogue : {Epilogue{p.bias != nullptr, p.gelu}, {p.bias != nullptr, false}, {}})
    if (try_plan(*plan, p, epilogue)) return plan;
  return nullptr;
}

const Products::Plan* Products::find_plan(const Product& p) {
  const Key key = {p.m,
                   p.n,
                   p.k,
                   p.batches,
                   p.transpose_a,
                   p.a.word,
                   p.d.word,
                   p.stride_a,
                   p.stride_b,
                   p.stride_d,
                   p.batch_a,
                   p.batch_b,
                   p.batch_d,
                   alignment(p.a.data),
                   alignment(p.b.data),
                   alignment(p.d.data),
                   p.bias != nullptr,
                   p.gelu};
  const auto [known, is_new] = plans_.try_emplace(key);
  if (is_new) known->second = make_plan(p);
  return known->second.get();
}

const Products::Plan& Products::plan(const Product& p) {
  if (const Plan* found = find_plan(p)) return *found;
  throw DeviceFault(kInvalidValue, "cuda: cuBLASLt " + std::to_string(api_.version()) +
                                       " has no algorithm for a product of " + std::to_string(p.m) + " x " +
                                       std::to_string(p.n) + " x " + std::to_string(p.k) + " in " +
                                       name_of(p.a.word) + ": install a newer one, or use --backend cpu");
}

bool Products::takes(const Product& product) { return find_plan(product) != nullptr; }
Epilogue Products::epilogue(const Product& product) { return plan(product).epilogue; }

void Products::run(const Product& p) {
  const Plan& plan = this->plan(p);
  if (plan.epilogue.bias)
    check(api_.product_set(plan.product, blas::kBiasPointer, &p.bias, sizeof p.bias),
          "cublasLtMatmulDescSetAttribute");
  if (p.a.word == kWordE4m3) {
    check(api_.product_set(plan.product, blas::kScalePointerA, &p.scale_a, sizeof p.scale_a),
          "cublasLtMatmulDescSetAttribute");
    check(api_.product_set(plan.product, blas::kScalePointerB, &p.scale_b, sizeof p.scale_b),
          "cublasLtMatmulDescSetAttribute");
  }
  const Scratch workspace(device_, plan.chosen.workspace_bytes);
  const float alpha = 1.0f, beta = p.accumulate ? 1.0f : 0.0f;
  check(api_.matmul(handle_, plan.product, &alpha, p.a.data, plan.layouts[0], p.b.data, plan.layouts[1],
                    &beta, p.d.data, plan.layouts[2], p.d.data, plan.layouts[2], &plan.chosen.algorithm,
                    workspace.data(), plan.chosen.workspace_bytes, device_.stream()),
        "cublasLtMatmul");
}

}  // namespace rushes::kernels::cuda
