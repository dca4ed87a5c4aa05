#include "kernels/cuda/elementwise.h"

#include <ptx/warp.h>

#include "kernels/cuda/forms.h"
// After warp.h:
#include "kernels/cuda/vector_access.h"

namespace rushes::kernels::cuda {
namespace {

RUSHES_DEVICE void store(float* to, float value) { *to = value; }
RUSHES_DEVICE void store(std::uint16_t* to, float value) { *to = device::bf16_bits(value); }

template <typename T>
RUSHES_KERNEL(kElementThreads)
fill_kernel(RUSHES_ARGUMENTS(FillArguments) a) {
  for (std::int64_t i = device::first_element(); i < a.count; i += device::element_step())
    store(static_cast<T*>(a.x) + i, a.value);
}

// Columns `column`... of row `row`; v holds x and receives the result, y is 0 where there is none.
template <Map kMap, int kWide>
RUSHES_DEVICE void map_elements(const MapArguments& a, std::int64_t row, int column, float (&v)[kWide],
                                const float (&y)[kWide]) {
  if constexpr (kMap == kMapAffine) {
    float p[kWide];
    if (a.scale) {
      device::load_floats<kWide>(p, a.scale, column);
      RUSHES_UNROLL
      for (int i = 0; i < kWide; ++i) v[i] *= p[i];
    }
    if (a.shift) {
      device::load_floats<kWide>(p, a.shift, column);
      RUSHES_UNROLL
      for (int i = 0; i < kWide; ++i) v[i] += p[i];
    }
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i) v[i] = device::activated(v[i], a.activation) + y[i];
  } else if constexpr (kMap == kMapAddGated) {
    float gate[kWide];
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i) gate[i] = 1.0f;
    if (a.gate.data) device::load_row_parameters<kWide>(gate, a.gate, row, a.cols, column);
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i) v[i] = y[i] + gate[i] * v[i];
  } else {
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i) {
      if constexpr (kMap == kMapGeluGate) v[i] = device::gelu_tanh(v[i]) * y[i];
      if constexpr (kMap == kMapClamp) v[i] = v[i] < a.a ? a.a : a.b < v[i] ? a.b : v[i];
    }
  }
}

template <Map kMap, int kWide>
RUSHES_DEVICE void map_all(const MapArguments& a) {
  const std::int64_t x_stride = a.x_stride ? a.x_stride : a.cols;
  for (std::int64_t i = device::first_element() * kWide; i < a.count; i += device::element_step() * kWide) {
    const std::int64_t row = i / a.cols;
    const int column = static_cast<int>(i - row * a.cols);
    float v[kWide], y[kWide] = {};
    device::load<kWide>(v, a.x, row * x_stride + column);
    if (a.y.data) device::load<kWide>(y, a.y, i);
    map_elements<kMap, kWide>(a, row, column, v, y);
    device::store<kWide>(v, a.out, i);
  }
}

template <Map kMap>
RUSHES_KERNEL(kElementThreads)
map_kernel(RUSHES_ARGUMENTS(MapArguments) a) {
  if (a.wide) {
    map_all<kMap, 8>(a);
  } else {
    map_all<kMap, 1>(a);
  }
}

}  // namespace

void RUSHES_FORM::add_elementwise(KernelTable& table) {
  table.fill[kWordF32] = RUSHES_HANDLE("fill_f32", true, fill_kernel<float>);
  table.fill[kWordBf16] = RUSHES_HANDLE("fill_bf16", true, fill_kernel<std::uint16_t>);
  table.map[kMapAffine] = RUSHES_HANDLE("map_affine", true, map_kernel<kMapAffine>);
  table.map[kMapGeluGate] = RUSHES_HANDLE("map_gelu_gate", true, map_kernel<kMapGeluGate>);
  table.map[kMapClamp] = RUSHES_HANDLE("map_clamp", true, map_kernel<kMapClamp>);
  table.map[kMapAddGated] = RUSHES_HANDLE("map_add_gated", true, map_kernel<kMapAddGated>);
}

}  // namespace rushes::kernels::cuda
