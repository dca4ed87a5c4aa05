// The Wan video diffusion transformer: a noisy latent, a timestep and a prompt in, a velocity out.
//
// Sizes are read from the weights; only the head width and the text length come from the manifest. The
// tensors that a file has decide what the model can do: `img_emb` and k_img/v_img (Wan2.1 I2V: image tokens),
// more input than output channels (condition channels, [noise, mask, condition]), `vace_*` (control blocks).
// Every token may have a timestep of its own (Wan2.2 TI2V). Sources: Wan2.1 wan/modules/model.py,
// vace_model.py; Wan2.2 wan/modules/model.py.
//
// Errors: load() gives kCorrupt with the tensor, file, expected and found. Calls that do not fit the model
// are kInvalid. Thread contract: as the backend, one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "worker/model/rope.h"
#include "worker/model/transformer_block.h"

namespace rushes::worker {

struct TransformerSizes {
  BlockSizes block;
  std::int64_t layers = 0, in_dim = 0, out_dim = 0;
  std::int64_t text_dim = 0, text_len = 0, time_dim = 0;
  kernels::Strides patch;
  std::int64_t image_dim = 0;     // width of image tokens; 0: no img_emb
  std::int64_t image_tokens = 0;  // fixed count where the weights have emb_pos; 0: any
  std::int64_t vace_dim = 0;      // channels of the control latent; 0: no VACE
  std::vector<std::int64_t> vace_layers;
};

// One prompt, ready for any number of steps: keys and values of every block's cross attention.
struct PromptContext {
  std::vector<CrossKeys> blocks, vace_blocks;
};

// Layers that 8 bits ruin, ascending: their attention or their products stay in bf16.
struct LayersInBf16 {
  std::vector<int> attention, products;
  bool empty() const { return attention.empty() && products.empty(); }
};

// Timesteps of one pass: `values` (0...1000), and which of them each token takes (empty: all take values[0]).
struct Timesteps {
  std::vector<float> values;
  std::vector<std::int32_t> group;
};

// What a pass reads beside the prompt, on the backend.
struct PassInputs {
  kernels::Tensor x;      // kF32 [in_dim, F, H, W]
  kernels::Tensor waves;  // kF32 [G, time_dim]: the sinusoids of the timesteps
  kernels::Tensor group;  // kI32 [tokens]: which of them a token takes; empty where G = 1
  kernels::Tensor rope;   // of the latent's grid and origin
};

// Asked between blocks; true ends the call with kConflict ("stopped on request"): a step of a large model
// takes minutes, and an engine that leaves an attempt by itself keeps its weights. May be empty.
using StopCheck = std::function<bool()>;

struct VaceControl {
  kernels::Tensor latent;  // kF32 [vace_dim, F, H, W], same grid as the noise latent
  float scale = 1.0f;
};

class Transformer {
 public:
  // Reads and prepares the weights on `backend`, which must outlive the result. `vace_layers` may be empty:
  // then the control blocks are spread evenly, as in the published configurations.
  static Result<Transformer> load(kernels::Backend& backend, const TensorFile& file, std::int64_t head_dim,
                                  std::int64_t text_len, std::vector<std::int64_t> vace_layers = {});

  const TransformerSizes& sizes() const { return sizes_; }

  // Layers are numbered: blocks first, VACE blocks behind them. On a backend with 8 bits all but the listed ones compute in
  // them from now on. Once, after load().
  int layers() const { return static_cast<int>(blocks_.size() + vace_.size()); }
  void compute_in_8_bits(const LayersInBf16& kept);
  // Gives back what is kept of the last pass for the next one of its grid.
  void forget_grid() { rope_ = {}; }
  // Of the passes that follow.
  void set_probes(AttentionProbe attention, ProductProbe product) {
    probe_ = std::move(attention), product_probe_ = std::move(product);
  }

  // text: [rows, text_dim], rows <= text_len, the encoder's states of the valid tokens; padded with zeros to
  // text_len before the text MLP, and the padding is attended, as in training. image: [tokens, image_dim] or
  // empty. Written into the tensors of `into`, another prompt of this model, where it is given.
  Result<PromptContext> prompt(std::span<const float> text, std::int64_t rows,
                               std::span<const float> image = {}, std::int64_t image_rows = 0,
                               PromptContext into = {});

  // The token grid of a latent [.., frames, rows, columns]; kInvalid when it is no multiple of the patch.
  Result<TokenGrid> grid(std::int64_t frames, std::int64_t rows, std::int64_t columns) const;

  // x kF32 [in_dim, F, H, W] -> velocity kF32 [out_dim, F, H, W]. `origin` shifts the positions.
  Result<kernels::Tensor> velocity(const kernels::Tensor& x, const Timesteps& timesteps,
                                   const PromptContext& context, const TokenOrigin& origin = {},
                                   const VaceControl& vace = {}, const StopCheck& stop = {});

  // The same in pieces, for Backend::run_pass. What a pass reads beside the prompt; the sinusoids are written into
  // `waves` where it is given. Error: kInvalid.
  Result<PassInputs> inputs(const kernels::Tensor& x, const Timesteps& timesteps,
                            const TokenOrigin& origin = {}, const kernels::Tensor& waves = {});
  // kInvalid: the prompt or the control is not of this model, or not of this latent.
  Status check(const kernels::Tensor& x, const PromptContext& context, const VaceControl& vace = {}) const;
  // One part for each block; `out` kF32 [out_dim, F, H, W]. The context lives until they have run.
  kernels::PassParts parts(const PassInputs& inputs, const PromptContext& context, const VaceControl& vace,
                           const kernels::Tensor& out);

 private:
  Transformer() = default;
  void read_sizes(Weights& weights, std::int64_t head_dim, std::int64_t text_len,
                  std::vector<std::int64_t> vace_layers);
  void read_weights(Weights& weights);
  kernels::Tensor embed_text(std::span<const float> text, std::int64_t rows);
  kernels::Tensor embed_image(std::span<const float> image, std::int64_t rows);
  const kernels::Tensor& rope(const TokenGrid& grid, const TokenOrigin& origin);
  std::vector<kernels::Tensor> vace_hints(const VaceControl& vace, const kernels::Tensor& x,
                                          const BlockInputs& inputs, const PromptContext& context);
  kernels::Tensor head(ResidualStream& stream, const kernels::Tensor& e, const kernels::Tensor& group);
  struct Flight;  // what the parts of a pass hand on
  void begin(Flight& flight);
  void block(Flight& flight, std::int64_t layer);

  struct Control {
    Block block;
    kernels::LinearPtr before, after;
  };

  kernels::Backend* backend_ = nullptr;
  TransformerSizes sizes_;
  kernels::LinearPtr patch_, text0_, text2_, time0_, time2_, time_projection_, head_;
  kernels::Tensor head_modulation_;  // [2, dim]
  kernels::LinearPtr image1_, image3_;
  kernels::Tensor image_norm0_[2], image_norm4_[2], image_position_;
  std::vector<Block> blocks_;
  kernels::LinearPtr vace_patch_;
  std::vector<Control> vace_;
  AttentionProbe probe_;
  ProductProbe product_probe_;

  TokenGrid rope_grid_;
  TokenOrigin rope_origin_;
  kernels::Tensor rope_;  // of the last pass's grid
};

// Runs the parts of a pass, in step with the device. kConflict: `stop` said so, which is asked before each part.
Status run_parts(kernels::Backend& backend, kernels::Recording* recording, const kernels::PassParts& parts,
                 const StopCheck& stop);

}  // namespace rushes::worker
