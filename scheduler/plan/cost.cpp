#include "scheduler/plan/cost.h"

namespace rushes::scheduler {

double sampling_work(std::uint64_t latents, std::uint32_t steps, float guidance) {
  return static_cast<double>(latents) * steps * (guidance == 1.0f ? 1 : 2);
}

// A token is 1x2x2 latents (patch of the Wan family). 64 KiB a token: residual stream, q, k, v and
// feed-forward activations of a model of width 1536 in fp32 with a margin; smaller models need less.
std::uint64_t sampling_memory(std::uint64_t latents) { return kBaseMemory + latents / 4 * (64ull << 10); }

// RGB fp32 (12 bytes) eight times over: the widest level of the decoder works on slices in time, so its
// activations stay within a small multiple of the picture.
std::uint64_t pixel_memory(std::uint64_t pixels) { return kBaseMemory + pixels * 12 * 8; }

double first_guess(Stage stage) {
  switch (stage) {
    case Stage::kEncode:
      return 1;  // a task is one unit
    case Stage::kDenoise:
    case Stage::kRefine:
      return 3e-4;  // a latent and step
    case Stage::kDecode:
    case Stage::kEnlarge:
      return 1e-6;  // a pixel
    case Stage::kCritique:
    case Stage::kFinish:
    case Stage::kDeliver:
      return 3e-7;
  }
  return 1;
}

}  // namespace rushes::scheduler
