#include <cmath>
#include <map>
#include <memory>
#include <mutex>

#include "tests/kernels/emulator/libraries.h"
#include "tests/kernels/emulator/software_device.h"

namespace rushes::emulator {

namespace {

using namespace kernels::cuda;  // NOLINT(google-build-using-namespace): the names of the table

constexpr int kInvalid = 7, kUnsupported = 15;  // cublasStatus_t
constexpr std::uint64_t kMark = 0x52757368;     // of our algorithms

struct Object {
  virtual ~Object() = default;
};
struct Handle final : Object {};
struct Matmul final : Object {
  int compute = 0, scale = 0;
  std::int32_t transpose_a = 0, transpose_b = 0, epilogue = blas::kEpilogueNone, bias_type = -1;
  const void* bias = nullptr;
  std::int32_t scale_mode[2] = {blas::kScaleOne, blas::kScaleOne};  // of A, B
  const float* scales[2] = {};
  bool gelu() const { return epilogue == blas::kEpilogueGelu || epilogue == blas::kEpilogueGeluBias; }
  bool biased() const { return epilogue == blas::kEpilogueBias || epilogue == blas::kEpilogueGeluBias; }
};
struct Layout final : Object {
  int type = 0;
  std::uint64_t rows = 0, columns = 0;
  std::int64_t stride = 0, batch_stride = 0;
  std::int32_t batches = 1, order = blas::kColumnMajor;
  std::size_t element() const { return type == blas::kFloat32 ? 4 : type == blas::kFloat8E4M3 ? 1 : 2; }
  std::size_t entry() const { return (columns - 1) * static_cast<std::size_t>(stride) + rows; }  // elements
  std::size_t bytes() const {
    return (static_cast<std::size_t>(batches - 1) * static_cast<std::size_t>(batch_stride) + entry()) *
           element();
  }
};
struct Preference final : Object {
  std::size_t workspace = 0;
  std::uint32_t alignment[4] = {256, 256, 256, 256};  // the library's own assumption
};

std::mutex mutex;
std::map<void*, std::unique_ptr<Object>>& objects() {
  static std::map<void*, std::unique_ptr<Object>> all;
  return all;
}

int refuse(int status, const std::string& why) {
  return SoftwareDevice::current()->refuse(status, "cuBLASLt: " + why);
}

template <typename T>
int make(void** made, T object) {
  const std::lock_guard lock(mutex);
  auto owned = std::make_unique<T>(std::move(object));
  *made = owned.get();
  objects()[*made] = std::move(owned);
  return kSuccess;
}
template <typename T>
T* find(void* handle) {
  const std::lock_guard lock(mutex);
  const auto found = objects().find(handle);
  return found == objects().end() ? nullptr : dynamic_cast<T*>(found->second.get());
}
template <typename T>
int destroy(void* handle) {
  if (!find<T>(handle)) return refuse(kInvalid, "destroys what it did not make");
  const std::lock_guard lock(mutex);
  objects().erase(handle);
  return kSuccess;
}
template <typename T>
int take(T* to, const void* value, std::size_t bytes) {
  if (bytes != sizeof(T)) return refuse(kInvalid, "an attribute of another size");
  std::memcpy(to, value, bytes);
  return kSuccess;
}

int set_product(void* product, int attribute, const void* value, std::size_t bytes) {
  auto* p = find<Matmul>(product);
  if (!p) return refuse(kInvalid, "no such product");
  switch (attribute) {
    case blas::kTransposeA:
      return take(&p->transpose_a, value, bytes);
    case blas::kTransposeB:
      return take(&p->transpose_b, value, bytes);
    case blas::kEpilogue:
      return take(&p->epilogue, value, bytes);
    case blas::kBiasPointer:
      return take(&p->bias, value, bytes);
    case blas::kBiasType:
      return take(&p->bias_type, value, bytes);
    case blas::kScaleModeA:
    case blas::kScaleModeB:
      return take(&p->scale_mode[attribute - blas::kScaleModeA], value, bytes);
    case blas::kScalePointerA:
    case blas::kScalePointerB:
      return take(&p->scales[attribute - blas::kScalePointerA], value, bytes);
    default:
      return refuse(kInvalid, "an attribute of products that is not known: " + std::to_string(attribute));
  }
}

int set_layout(void* layout, int attribute, const void* value, std::size_t bytes) {
  auto* l = find<Layout>(layout);
  if (!l) return refuse(kInvalid, "no such layout");
  switch (attribute) {
    case blas::kOrder:
      return take(&l->order, value, bytes);
    case blas::kBatchCount:
      return take(&l->batches, value, bytes);
    case blas::kBatchStride:
      return take(&l->batch_stride, value, bytes);
    default:
      return refuse(kInvalid, "an attribute of layouts that is not known: " + std::to_string(attribute));
  }
}

int set_preference(void* preference, int attribute, const void* value, std::size_t bytes) {
  auto* p = find<Preference>(preference);
  if (!p) return refuse(kInvalid, "no such preference");
  if (attribute == blas::kMaxWorkspace) return take(&p->workspace, value, bytes);
  if (attribute >= blas::kAlignmentA && attribute <= blas::kAlignmentD)
    return take(&p->alignment[attribute - blas::kAlignmentA], value, bytes);
  return refuse(kInvalid, "an attribute of preferences that is not known: " + std::to_string(attribute));
}

struct Problem {
  Matmul product;
  Layout a, b, c, d;
  std::uint64_t m() const { return d.rows; }
  std::uint64_t n() const { return d.columns; }
  std::uint64_t k() const { return product.transpose_a ? a.rows : a.columns; }
  // Everything an algorithm was chosen for.
  std::uint64_t fingerprint() const {
    std::uint64_t hash = 1469598103934665603u;
    const auto add = [&](std::uint64_t value) { hash = (hash ^ value) * 1099511628211u; };
    for (const Layout* l : {&a, &b, &c, &d})
      for (const auto value :
           {static_cast<std::uint64_t>(l->type), l->rows, l->columns, static_cast<std::uint64_t>(l->stride),
            static_cast<std::uint64_t>(l->batch_stride), static_cast<std::uint64_t>(l->batches)})
        add(value);
    for (const int value : {product.compute, static_cast<int>(product.transpose_a),
                            static_cast<int>(product.transpose_b), static_cast<int>(product.epilogue),
                            static_cast<int>(product.scale_mode[0]), static_cast<int>(product.scale_mode[1])})
      add(static_cast<std::uint64_t>(value));
    return hash;
  }
  std::size_t workspace() const { return 256 * (1 + fingerprint() % 3); }
};

// The rules for 8 bits: cuBLAS documentation, "8-bit Floating Point Data Types (FP8) Usage".
std::string misfit_of_8_bits(const Problem& p) {
  if (!p.product.transpose_a) return "e4m3 without transposed A";
  if (p.m() % 16 || p.k() % 16 || p.a.stride % 16 || p.b.stride % 16) return "e4m3 of sizes that are no 16s";
  for (int i = 0; i < 2; ++i)
    if (p.product.scale_mode[i] != blas::kScalePerRow || !p.product.scales[i])
      return "e4m3 without a scale for each row";
  if (p.a.batches != 1) return "batches in e4m3 are not known";
  return "";
}

// Empty where the descriptors fit together.
std::string misfit(const Problem& p) {
  const bool in_8_bits = p.a.type == blas::kFloat8E4M3;
  for (const Layout* l : {&p.a, &p.b, &p.c, &p.d}) {
    const bool operand = l == &p.a || l == &p.b;
    if (l->type != blas::kFloat32 && l->type != blas::kBfloat16 && !(operand && l->type == blas::kFloat8E4M3))
      return "a type that is not known";
    if (l->order != blas::kColumnMajor) return "an order that is not known";
    if (l->rows < 1 || l->columns < 1) return "an empty matrix";
    if (l->stride < static_cast<std::int64_t>(l->rows))
      return "a stride of " + std::to_string(l->stride) + " for columns of " + std::to_string(l->rows);
    if (l->batches != p.d.batches) return "batch counts differ";
    if (l->batches < 1 || l->batch_stride < 0 || (l->batches > 1 && l == &p.d && l->batch_stride == 0))
      return "a batch stride that cannot be";
  }
  if (p.product.scale != blas::kFloat32) return "a scale type that is not known";
  if (p.product.transpose_b) return "op(B) is not known";
  if (p.a.type != p.b.type) return "A and B of different types";
  if (p.product.compute != blas::kCompute32 &&
      (p.product.compute != blas::kCompute32Pedantic || p.a.type != blas::kFloat32))
    return "a compute type that does not go with the operands";
  if (p.a.type == blas::kFloat32 && p.d.type != blas::kFloat32) return "fp32 into bf16";
  if (p.c.type != p.d.type || p.c.rows != p.d.rows || p.c.columns != p.d.columns) return "C and D differ";
  const std::uint64_t m = p.product.transpose_a ? p.a.columns : p.a.rows;
  if (m != p.m() || p.b.columns != p.n() || p.b.rows != p.k()) return "sizes of A, B and D do not fit";
  const int bias_type = in_8_bits ? blas::kBfloat16 : p.d.type;
  if (p.product.biased() && (!p.product.bias || p.product.bias_type != bias_type))
    return "a bias that is missing or not of D's type";
  if (in_8_bits) return misfit_of_8_bits(p);
  if (p.product.scales[0] || p.product.scales[1]) return "scales without 8 bits";
  return "";
}

// Null where a handle is wrong.
std::unique_ptr<Problem> problem(void* handle, void* product, void* a, void* b, void* c, void* d) {
  const auto* p = find<Matmul>(product);
  const auto *la = find<Layout>(a), *lb = find<Layout>(b), *lc = find<Layout>(c), *ld = find<Layout>(d);
  if (!find<Handle>(handle) || !p || !la || !lb || !lc || !ld) return nullptr;
  return std::make_unique<Problem>(Problem{*p, *la, *lb, *lc, *ld});
}

int heuristic(void* handle, void* product, void* a, void* b, void* c, void* d, void* preference, int wanted,
              BlasHeuristic* found, int* count) {
  *count = 0;
  const auto p = problem(handle, product, a, b, c, d);
  const auto* wish = find<Preference>(preference);
  if (!p || !wish || wanted < 1) return refuse(kInvalid, "heuristic: a handle that it did not make");
  if (const std::string why = misfit(*p); !why.empty()) return refuse(kInvalid, "heuristic: " + why);
  const SoftwareOptions& options = SoftwareDevice::current()->options();
  if (p->product.gelu() && !options.blas_has_gelu) return kUnsupported;
  if (p->a.type == blas::kFloat8E4M3 &&
      (options.major != 9 || (p->d.type == blas::kFloat32 && !options.blas_has_e4m3_into_f32)))
    return kUnsupported;
  if (p->workspace() > wish->workspace) return kUnsupported;
  found[0] = {};
  std::uint64_t* data = found[0].algorithm.data;
  data[0] = kMark, data[1] = p->fingerprint();
  for (int i = 0; i < 4; ++i) data[2 + i] = wish->alignment[i];
  found[0].workspace_bytes = p->workspace();
  *count = 1;
  return kSuccess;
}

// One batch entry's column-major matrix, rows of `inner` numbers that belong together.
std::vector<float> by_rows(const Layout& l, const void* start, std::size_t entry, bool columns_are_rows) {
  const auto* at =
      static_cast<const std::byte*>(start) + entry * static_cast<std::size_t>(l.batch_stride) * l.element();
  std::vector<float> all;
  if (l.type == blas::kFloat8E4M3) {
    for (std::size_t i = 0; i < l.entry(); ++i)
      all.push_back(kernels::f8e4m3_to_float(static_cast<std::uint8_t>(at[i])));
  } else {
    all = widened(at, l.type == blas::kBfloat16, l.entry());
  }
  std::vector<float> out;
  out.reserve(l.rows * l.columns);
  const auto stride = static_cast<std::size_t>(l.stride);
  if (columns_are_rows) {
    for (std::size_t j = 0; j < l.columns; ++j)
      for (std::size_t i = 0; i < l.rows; ++i) out.push_back(all[j * stride + i]);
  } else {
    for (std::size_t i = 0; i < l.rows; ++i)
      for (std::size_t j = 0; j < l.columns; ++j) out.push_back(all[j * stride + i]);
  }
  return out;
}

double gelu(double x) {
  return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
}

void compute(const Problem& p, const void* a, const void* b, void* d, float alpha, bool add) {
  const bool bf16 = p.d.type == blas::kBfloat16;
  std::vector<float> bias(p.m());
  if (p.product.biased()) bias = widened(p.product.bias, p.product.bias_type == blas::kBfloat16, p.m());
  for (std::size_t entry = 0; entry < static_cast<std::size_t>(p.d.batches); ++entry) {
    const std::vector<float> left = by_rows(p.a, a, entry, p.product.transpose_a != 0),
                             right = by_rows(p.b, b, entry, true);
    for (std::size_t j = 0; j < p.n(); ++j)
      for (std::size_t i = 0; i < p.m(); ++i) {
        const float *x = left.data() + i * p.k(), *y = right.data() + j * p.k();
        double sum = 0;
        for (std::size_t k = 0; k < p.k(); ++k) sum += static_cast<double>(x[k]) * static_cast<double>(y[k]);
        if (p.product.scales[0])
          sum *= static_cast<double>(p.product.scales[0][i]) * static_cast<double>(p.product.scales[1][j]);
        sum = sum * static_cast<double>(alpha) + static_cast<double>(bias[i]);
        const std::size_t to =
            entry * static_cast<std::size_t>(p.d.batch_stride) + j * static_cast<std::size_t>(p.d.stride) + i;
        if (add)
          sum += static_cast<double>(bf16 ? kernels::bf16_to_float(static_cast<std::uint16_t*>(d)[to])
                                          : static_cast<float*>(d)[to]);
        put_rounded(d, bf16, to, p.product.gelu() ? gelu(sum) : sum);
      }
  }
}

int matmul(void* handle, void* product, const void* alpha, const void* a, void* a_layout, const void* b,
           void* b_layout, const void* beta, const void* c, void* c_layout, void* d, void* d_layout,
           const BlasAlgorithm* algorithm, void* workspace, std::size_t workspace_bytes, void* stream) {
  SoftwareDevice& device = *SoftwareDevice::current();
  const auto p = problem(handle, product, a_layout, b_layout, c_layout, d_layout);
  if (!p || !alpha || !beta) return refuse(kInvalid, "matmul: a handle that it did not make");
  if (const std::string why = misfit(*p); !why.empty()) return refuse(kInvalid, "matmul: " + why);
  if (!algorithm || algorithm->data[0] != kMark || algorithm->data[1] != p->fingerprint())
    return refuse(kUnsupported, "matmul: an algorithm that was chosen for another product");
  if (workspace_bytes < p->workspace() || !device.owns(workspace, workspace_bytes))
    return refuse(kInvalid, "matmul: too small a workspace");
  const float old = *static_cast<const float*>(beta);
  if (old != 0.0f && (old != 1.0f || c != d)) return refuse(kInvalid, "matmul: beta is not known");
  const void* pointers[] = {a, b, c, d};
  const Layout* layouts[] = {&p->a, &p->b, &p->c, &p->d};
  for (std::size_t i = 0; i < 4; ++i) {
    if (reinterpret_cast<std::uintptr_t>(pointers[i]) % algorithm->data[2 + i])
      return refuse(kUnsupported, "matmul: a pointer less aligned than its algorithm expects");
    if (!device.owns(pointers[i], layouts[i]->bytes()))
      return refuse(kInvalid, "matmul: a matrix outside an allocation");
  }
  const std::size_t scaled[] = {p->m(), p->n()};
  for (std::size_t i = 0; i < 2; ++i)
    if (p->product.scales[i] && !device.owns(p->product.scales[i], scaled[i] * sizeof(float)))
      return refuse(kInvalid, "matmul: scales outside an allocation");
  if (p->product.biased() &&
      !device.owns(p->product.bias, p->m() * (p->product.bias_type == blas::kFloat32 ? 4 : 2)))
    return refuse(kInvalid, "matmul: a bias outside an allocation");
  const float factor = *static_cast<const float*>(alpha);
  const int error = device.enqueue(stream, [=, copy = *p] {
    std::memset(workspace, 0xff, workspace_bytes);
    compute(copy, a, b, d, factor, old != 0.0f);
    return kSuccess;
  });
  return error ? 13 : kSuccess;  // CUBLAS_STATUS_EXECUTION_FAILED
}

}  // namespace

const BlasApi& software_blas() {
  static const BlasApi api = {
      [] { return SoftwareDevice::current()->options().blas_version; },
      [](void** handle) { return make(handle, Handle()); },
      destroy<Handle>,
      [](void** made, int compute_type, int scale_type) {
        Matmul product;
        product.compute = compute_type, product.scale = scale_type;
        return make(made, product);
      },
      destroy<Matmul>,
      set_product,
      [](void** made, int type, std::uint64_t rows, std::uint64_t columns, std::int64_t stride) {
        Layout layout;
        layout.type = type, layout.rows = rows, layout.columns = columns, layout.stride = stride;
        return make(made, layout);
      },
      destroy<Layout>,
      set_layout,
      [](void** made) { return make(made, Preference()); },
      destroy<Preference>,
      set_preference,
      heuristic,
      matmul,
  };
  return api;
}

}  // namespace rushes::emulator
