#include "kernels/philox.h"

namespace rushes::kernels {

void fill_noise(const NoiseSource& source, const NoiseBox& box, float* out) {
  const PhiloxKey key = noise_key(source);
  for (std::uint32_t c = 0; c < box.size[0]; ++c)
    for (std::uint32_t t = 0; t < box.size[1]; ++t)
      for (std::uint32_t y = 0; y < box.size[2]; ++y)
        for (std::uint32_t x = 0; x < box.size[3]; ++x) {
          *out++ = gaussian_at(key, box.first[0] + c, box.first[1] + t, box.first[2] + y, box.first[3] + x);
        }
}

}  // namespace rushes::kernels
