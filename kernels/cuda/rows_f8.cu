// Rows rounded to 8 bits, by themselves or as a layer norm makes them: kernels/eight_bit_rows.h.
#include <ptx/e4m3.h>

#include "kernels/cuda/forms.h"
// After e4m3.h:
#include "kernels/cuda/quantise_access.h"
#include "kernels/cuda/rows_block.h"

namespace rushes::kernels::cuda {
namespace {

using namespace rows;  // NOLINT(google-build-using-namespace): of this file's kernels

struct Larger {
  RUSHES_DEVICE static float of(float a, float b) { return device::larger(a, b); }
};

template <int kWide>
RUSHES_DEVICE void store_e4m3(std::uint8_t* to, const float (&v)[kWide], float inverse) {
  if constexpr (kWide == 8) {
    *reinterpret_cast<device::TwoWords*>(to) = {
        device::pack_e4m3(v[0] * inverse, v[1] * inverse, v[2] * inverse, v[3] * inverse),
        device::pack_e4m3(v[4] * inverse, v[5] * inverse, v[6] * inverse, v[7] * inverse)};
  } else {
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i)
      to[i] = static_cast<std::uint8_t>(device::pack_e4m3(v[i] * inverse, 0.0f, 0.0f, 0.0f));
  }
}

// Twice over the row: its largest magnitude, then its codes.
template <int kWide, typename Row>
RUSHES_DEVICE void round_row(const NormArguments& a, const Place& p, Row& row) {
  float top = 0.0f;
  row.each([&](const float(&v)[kWide], int) {
    RUSHES_UNROLL
    for (int i = 0; i < kWide; ++i) top = device::larger(top, RUSHES_MUTATION(47) ? v[i] : fabsf(v[i]));
  });
  if (!RUSHES_MUTATION(46)) top = over_row<Larger>(top, p);
  const float scale = device::scale_of(top, kLargestE4m3), inverse = 1.0f / scale;
  auto* codes = static_cast<std::uint8_t*>(a.y.data) + p.row * a.cols;
  row.each([&](const float(&v)[kWide], int column) { store_e4m3<kWide>(codes + column, v, inverse); });
  if (p.lane == 0 && p.row < a.rows) a.y_scale[p.row] = scale;
}

template <RowsE4m3 kForm, int kWide>
RUSHES_DEVICE void row_e4m3(const NormArguments& a) {
  const Place p = place(a.warps);
  const int cols = p.row < a.rows ? a.cols : 0;
  if constexpr (kForm == kLayerNormE4m3) {
    LayerNormRow<kWide, AsStored> row(a, p, cols, AsStored{});
    round_row<kWide>(a, p, row);
  } else if constexpr (kForm == kAddGatedLayerNormE4m3) {
    LayerNormRow<kWide, Added> row(a, p, cols, Added{a, p.row});
    round_row<kWide>(a, p, row);
  } else {
    Share<kWide> row(a.x, p.row * a.cols, cols, p);
    round_row<kWide>(a, p, row);
  }
}

template <RowsE4m3 kForm>
RUSHES_KERNEL(kRowThreads)
rows_e4m3_kernel(RUSHES_ARGUMENTS(NormArguments) a) {
  if (a.wide) {
    row_e4m3<kForm, 8>(a);
  } else {
    row_e4m3<kForm, 1>(a);
  }
}

}  // namespace

void RUSHES_FORM::add_rows_f8(KernelTable& table) {
  table.rows_e4m3[kLayerNormE4m3] =
      with_e4m3(RUSHES_HANDLE("layer_norm_e4m3", false, rows_e4m3_kernel<kLayerNormE4m3>));
  table.rows_e4m3[kAddGatedLayerNormE4m3] =
      with_e4m3(RUSHES_HANDLE("add_gated_layer_norm_e4m3", false, rows_e4m3_kernel<kAddGatedLayerNormE4m3>));
  table.rows_e4m3[kRoundedE4m3] =
      with_e4m3(RUSHES_HANDLE("rows_e4m3", false, rows_e4m3_kernel<kRoundedE4m3>));
}

}  // namespace rushes::kernels::cuda
