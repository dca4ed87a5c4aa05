// The layers of the Wan video VAE as streams over time.
//
// Every layer is causal: an output frame depends on its own and earlier input frames only. A clip is
// therefore processed in chunks of frames, each layer keeping the few input frames that its next output needs
// (History); any chunk length gives the same numbers. Features are [T, H, W, C]; the stream between layers is
// fp32. Special first frame: it passes temporal resampling unchanged, and the up-sampling time
// convolution sees zeros in its place later. Source: Wan2.1 wan/modules/vae.py, Wan2.2 wan/modules/vae2_2.py.
//
// Thread contract: as the backend, one thread at a time; a Stream belongs to one run.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "worker/model/weights.h"

namespace rushes::worker {

// The last input frames of one layer; empty before its first input.
struct History {
  kernels::Tensor frames;
};

// The histories of all layers of one run, handed out in the order in which the layers run.
class Stream {
 public:
  explicit Stream(kernels::Backend& backend) : backend_(backend) {}
  kernels::Backend& backend() { return backend_; }
  void begin_chunk() {
    first_ = chunks_++ == 0;
    next_ = 0;
  }
  bool first() const { return first_; }  // the chunk that holds the clip's first frame
  History& next() {
    if (next_ == histories_.size()) histories_.emplace_back();
    return histories_[next_++];
  }

 private:
  kernels::Backend& backend_;
  std::deque<History> histories_;
  std::size_t next_ = 0;
  int chunks_ = 0;
  bool first_ = true;
};

// 3x3x3 convolution, two frames of history (zeros at the start), one zero around the frame, after a norm and
// SiLU (gamma) or as it is (gamma empty).
struct CausalConv {
  kernels::Tensor gamma;
  kernels::Conv3dPtr conv;
};
kernels::Tensor run(Stream& stream, const CausalConv& layer, const kernels::Tensor& x,
                    const kernels::Tensor& residual = {});

// x or shortcut(x) + conv(silu(norm(conv(silu(norm(x)))))).
struct ResidualBlock {
  CausalConv first, second;
  kernels::LinearPtr shortcut;  // null where the widths are equal
};
kernels::Tensor run(Stream& stream, const ResidualBlock& block, const kernels::Tensor& x);

// Attention over the positions of each frame, one head, scale 1/sqrt(C), with residual.
struct FrameAttention {
  kernels::Tensor gamma;
  kernels::LinearPtr q, k, v, projection;
};
kernels::Tensor run(Stream& stream, const FrameAttention& layer, const kernels::Tensor& x);

// Halves or doubles rows and columns, and frames where `time` is set.
struct Resample {
  kernels::Conv3dPtr space, time;
  explicit operator bool() const { return space != nullptr; }
};
kernels::Tensor run_down(Stream& stream, const Resample& layer, const kernels::Tensor& x);
kernels::Tensor run_up(Stream& stream, const Resample& layer, const kernels::Tensor& x);

// One resolution of the encoder or decoder: blocks, then a resample (but at the last level).
struct Level {
  std::vector<ResidualBlock> blocks;
  Resample resample;
  bool averaged = false;  // Wan 2.2: a parameter-free shortcut around the level
  std::int64_t in_channels = 0, out_channels = 0, widest = 0;
};
struct Middle {
  ResidualBlock before, after;
  FrameAttention attention;
};
kernels::Tensor run(Stream& stream, const Middle& middle, const kernels::Tensor& x);
kernels::Tensor run_blocks(Stream& stream, const Level& level, const kernels::Tensor& x);

// Loaders: sizes from the weights, errors noted in `weights`.
CausalConv load_conv(Weights& weights, const std::string& conv, const std::string& gamma);
ResidualBlock load_residual(Weights& weights, const std::string& prefix);
Middle load_middle(Weights& weights, const std::string& prefix);
// The levels below `prefix` ("encoder.downsamples." or "decoder.upsamples."): a flat list in Wan 2.1, nested
// in Wan 2.2, told apart by the names.
std::vector<Level> load_levels(Weights& weights, const std::string& prefix, const std::string& nested);

}  // namespace rushes::worker
