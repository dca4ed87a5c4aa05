// Kernels whose instructions are known from their source: they calibrate cubin_census.py.
#include <ptx/hopper.h>

namespace device = rushes::kernels::device;

extern "C" __global__ void probe_mufu(float* x) {
  for (int i = 0; i < 3; ++i) x[i] = device::fast_exp2(x[i]);
  x[3] = device::fast_reciprocal(x[3]);
  x[4] = device::fast_log2(x[4]);
}

extern "C" __global__ void probe_shuffle(float* x) {
  float value = x[threadIdx.x];
  for (int mask = 1; mask < 8; mask *= 2) value += device::shuffle_xor(value, mask);
  x[device::uniform(static_cast<int>(threadIdx.x))] = value;
}

// An array at indices of run time lies in local memory.
extern "C" __global__ void probe_local(float* x, const int* index) {
  float values[64];
  for (int i = 0; i < 4; ++i) values[index[i]] = x[i];
  x[0] = values[index[4]] + values[index[5]];
}

extern "C" __global__ void probe_copies(const __grid_constant__ rushes::kernels::cuda::TensorMap map) {
  auto* barrier = reinterpret_cast<device::Mbarrier*>(device::shared_memory());
  device::tma_load(device::shared_memory() + 1024, &map, barrier, 0, 0, 0, 0, 0);
  device::tma_load_multicast(device::shared_memory() + 2048, &map, barrier, 0, 0, 0, 0, 0, 3);
}

extern "C" __global__ void __launch_bounds__(128, 1) probe_products(float* x, std::uint32_t word) {
  float s[64], o[64];
  for (int i = 0; i < 64; ++i) s[i] = o[i] = x[i];
  const std::uint32_t a[4] = {word, word + 1, word + 2, word + 3};
  const std::uint64_t matrix = device::matrix_descriptor(device::shared_memory(), 16, 1024);
  device::wgmma_fence(s, o);
  for (int i = 0; i < 3; ++i) device::wgmma_ss(s, matrix + 2 * i, matrix, true);
  for (int i = 0; i < 2; ++i) device::wgmma_rs(o, a, matrix + 128 * i, true);
  device::wgmma_commit();
  device::wgmma_wait<0>(s);
  device::pin(o);
  for (int i = 0; i < 64; ++i) x[i * 128 + threadIdx.x] = s[i] + o[i];
}

extern "C" __global__ void __launch_bounds__(128, 1)
    probe_byte_products(int* x, float* y, std::uint32_t word) {
  std::int32_t s[64];
  float o[64];
  for (int i = 0; i < 64; ++i) s[i] = x[i], o[i] = y[i];
  const std::uint32_t a[4] = {word, word + 1, word + 2, word + 3};
  const std::uint64_t matrix = device::matrix_descriptor(device::shared_memory(), 16, 1024);
  device::wgmma_fence(s);
  for (int i = 0; i < 3; ++i) device::wgmma_ss_s8(s, matrix + 2 * i, matrix, true);
  device::wgmma_commit();
  device::wgmma_wait<0>(s);
  device::wgmma_fence(o);
  for (int i = 0; i < 2; ++i) device::wgmma_rs_e4m3(o, a, matrix + 2 * i, true);
  device::wgmma_commit();
  device::wgmma_wait<0>(o);
  for (int i = 0; i < 64; ++i) x[i * 128 + threadIdx.x] = s[i], y[i * 128 + threadIdx.x] = o[i];
}
