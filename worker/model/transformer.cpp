#include "worker/model/transformer.h"

#include <algorithm>

#include "kernels/layout.h"

namespace rushes::worker {

using kernels::Activation;
using kernels::DType;
using kernels::Precision;
using kernels::Shape;
using kernels::Tensor;

namespace {

constexpr float kImageNormEps = 1e-5f;  // img_emb uses PyTorch's default eps, unlike everything else

std::int64_t count_blocks(Weights& weights, const std::string& prefix) {
  std::int64_t n = 0;
  while (weights.has(prefix + std::to_string(n) + ".modulation")) ++n;
  return n;
}

// A patch convolution with stride = kernel is a linear layer over the values of a patch.
kernels::LinearPtr load_patch(Weights& weights, const std::string& name, std::int64_t dim,
                              std::int64_t channels, const kernels::Strides& patch) {
  kernels::HostTensor weight = weights.take(name + ".weight", {dim, channels, patch.t, patch.h, patch.w});
  const kernels::HostTensor bias = weights.take(name + ".bias", {dim});
  if (weights.failed()) return nullptr;
  weight.shape = {dim, channels * patch.t * patch.h * patch.w};
  return weights.backend().prepare_linear(weight, bias);
}

}  // namespace

void Transformer::read_sizes(Weights& weights, std::int64_t head_dim, std::int64_t text_len,
                             std::vector<std::int64_t> vace_layers) {
  TransformerSizes& s = sizes_;
  const Shape patch = weights.shape("patch_embedding.weight", 5);
  s.block.dim = patch[0];
  s.in_dim = patch[1];
  s.patch = {patch[2], patch[3], patch[4]};
  s.block.head_dim = head_dim;
  if (head_dim < 2 || head_dim % 2 || s.block.dim % head_dim)
    weights.error("head width " + std::to_string(head_dim) + " does not divide the model width " +
                  std::to_string(s.block.dim) + " into even heads");
  else
    s.block.heads = s.block.dim / head_dim;
  s.text_len = text_len;
  s.text_dim = weights.shape("text_embedding.0.weight", 2)[1];
  s.time_dim = weights.shape("time_embedding.0.weight", 2)[1];
  s.layers = count_blocks(weights, "blocks.");
  if (s.layers == 0) weights.error("no block: tensor 'blocks.0.modulation' is missing");
  s.block.ffn_dim = weights.shape("blocks.0.ffn.0.weight", 2)[0];
  const std::int64_t patch_values = s.patch.t * s.patch.h * s.patch.w;
  const std::int64_t head_rows = weights.shape("head.head.weight", 2)[0];
  if (head_rows % patch_values)
    weights.error("tensor 'head.head.weight': expected a multiple of " + std::to_string(patch_values) +
                  " rows, found " + std::to_string(head_rows));
  s.out_dim = head_rows / patch_values;
  if (s.in_dim < s.out_dim)
    weights.error("patch_embedding takes " + std::to_string(s.in_dim) + " channels, fewer than the " +
                  std::to_string(s.out_dim) + " that the head gives");
  if (weights.has("img_emb.proj.1.weight")) s.image_dim = weights.shape("img_emb.proj.1.weight", 2)[1];
  if (weights.has("img_emb.emb_pos")) s.image_tokens = weights.shape("img_emb.emb_pos", 3)[1];
  if (weights.has("vace_patch_embedding.weight")) {
    s.vace_dim = weights.shape("vace_patch_embedding.weight", 5)[1];
    const std::int64_t count = count_blocks(weights, "vace_blocks.");
    if (vace_layers.empty() && count > 0)
      for (std::int64_t i = 0; i < count; ++i) vace_layers.push_back(i * (s.layers / count));
    const bool fits = static_cast<std::int64_t>(vace_layers.size()) == count && count > 0 &&
                      std::all_of(vace_layers.begin(), vace_layers.end(),
                                  [&](std::int64_t layer) { return layer >= 0 && layer < s.layers; });
    if (!fits)
      weights.error(std::to_string(count) + " VACE blocks do not fit " + std::to_string(vace_layers.size()) +
                    " listed layers of " + std::to_string(s.layers));
    s.vace_layers = std::move(vace_layers);
  }
}

void Transformer::read_weights(Weights& weights) {
  const TransformerSizes& s = sizes_;
  const std::int64_t dim = s.block.dim;
  patch_ = load_patch(weights, "patch_embedding", dim, s.in_dim, s.patch);
  text0_ = weights.linear("text_embedding.0", dim, s.text_dim);
  text2_ = weights.linear("text_embedding.2", dim, dim);
  // The time MLP and the head stay fp32 in every precision.
  time0_ = weights.linear("time_embedding.0", dim, s.time_dim, true, Precision::kF32);
  time2_ = weights.linear("time_embedding.2", dim, dim, true, Precision::kF32);
  time_projection_ = weights.linear("time_projection.1", 6 * dim, dim, true, Precision::kF32);
  head_modulation_ = weights.tensor("head.modulation", {1, 2, dim}, {2, dim});
  head_ =
      weights.linear("head.head", s.out_dim * s.patch.t * s.patch.h * s.patch.w, dim, true, Precision::kF32);
  for (std::int64_t i = 0; i < s.layers; ++i)
    blocks_.push_back(load_block(weights, "blocks." + std::to_string(i) + ".", s.block));
  for (std::size_t i = 0; i < blocks_.size(); ++i) blocks_[i].layer = static_cast<int>(i);
  if (s.image_dim) {
    image_norm0_[0] = weights.tensor("img_emb.proj.0.weight", {s.image_dim});
    image_norm0_[1] = weights.tensor("img_emb.proj.0.bias", {s.image_dim});
    image1_ = weights.linear("img_emb.proj.1", s.image_dim, s.image_dim);
    image3_ = weights.linear("img_emb.proj.3", dim, s.image_dim);
    image_norm4_[0] = weights.tensor("img_emb.proj.4.weight", {dim});
    image_norm4_[1] = weights.tensor("img_emb.proj.4.bias", {dim});
    if (s.image_tokens)
      image_position_ =
          weights.tensor("img_emb.emb_pos", {1, s.image_tokens, s.image_dim}, {s.image_tokens, s.image_dim});
  }
  if (!s.vace_dim) return;
  vace_patch_ = load_patch(weights, "vace_patch_embedding", dim, s.vace_dim, s.patch);
  for (std::size_t i = 0; i < s.vace_layers.size(); ++i) {
    const std::string prefix = "vace_blocks." + std::to_string(i) + ".";
    Control control{load_block(weights, prefix, s.block), nullptr, nullptr};
    if (i == 0) control.before = weights.linear(prefix + "before_proj", dim, dim);
    control.after = weights.linear(prefix + "after_proj", dim, dim);
    control.block.layer = static_cast<int>(blocks_.size() + i);
    vace_.push_back(std::move(control));
  }
}

Result<Transformer> Transformer::load(kernels::Backend& backend, const TensorFile& file,
                                      std::int64_t head_dim, std::int64_t text_len,
                                      std::vector<std::int64_t> vace_layers) {
  return guarded(file.path(), [&]() -> Result<Transformer> {
    // Repackaged checkpoints carry one prefix before every name.
    const std::string repackaged = "model.diffusion_model.";
    Weights weights(file, backend, file.has(repackaged + "patch_embedding.weight") ? repackaged : "");
    Transformer model;
    model.backend_ = &backend;
    model.read_sizes(weights, head_dim, text_len, std::move(vace_layers));
    if (!weights.failed()) model.read_weights(weights);
    if (auto ok = weights.finish(); !ok) return tl::unexpected(ok.error());
    return model;
  });
}

void Transformer::compute_in_8_bits(const LayersInBf16& kept) {
  const auto listed = [](const std::vector<int>& layers, const Block& block) {
    return std::find(layers.begin(), layers.end(), block.layer) != layers.end();
  };
  const auto apply = [&](Block& block) {
    block.eight_bit = !listed(kept.attention, block);
    if (!listed(kept.products, block)) round_products(*backend_, block);
  };
  for (Block& block : blocks_) apply(block);
  for (Control& control : vace_) apply(control.block);
}

Tensor Transformer::embed_text(std::span<const float> text, std::int64_t rows) {
  const std::int64_t dim = sizes_.block.dim;
  std::vector<float> padded(static_cast<std::size_t>(sizes_.text_len * sizes_.text_dim), 0.0f);
  std::copy_n(text.begin(), rows * sizes_.text_dim, padded.begin());
  const Tensor states = backend_->upload(kernels::host_tensor(padded, {sizes_.text_len, sizes_.text_dim}));
  const Tensor hidden = backend_->empty(backend_->operand_dtype(), {sizes_.text_len, dim});
  const Tensor out = backend_->empty(backend_->operand_dtype(), {sizes_.text_len, dim});
  backend_->linear(states, *text0_, hidden, Activation::kGeluTanh);
  backend_->linear(hidden, *text2_, out);
  return out;
}

Tensor Transformer::embed_image(std::span<const float> image, std::int64_t rows) {
  const DType operand = backend_->operand_dtype();
  const std::vector<float> values(image.begin(), image.end());
  const Tensor x = backend_->upload(kernels::host_tensor(values, {rows, sizes_.image_dim}));
  if (!image_position_.empty()) backend_->combine({{1.0f, x}, {1.0f, image_position_}}, x);
  const Tensor normed = backend_->empty(operand, x.shape()), hidden = backend_->empty(operand, x.shape());
  const Tensor raw = backend_->empty(DType::kF32, {rows, sizes_.block.dim});
  const Tensor out = backend_->empty(operand, {rows, sizes_.block.dim});
  backend_->layer_norm(x, image_norm0_[0], image_norm0_[1], {}, kImageNormEps, normed);
  backend_->linear(normed, *image1_, hidden, Activation::kGeluErf);
  backend_->linear(hidden, *image3_, raw);
  backend_->layer_norm(raw, image_norm4_[0], image_norm4_[1], {}, kImageNormEps, out);
  return out;
}

Result<PromptContext> Transformer::prompt(std::span<const float> text, std::int64_t rows,
                                          std::span<const float> image, std::int64_t image_rows,
                                          PromptContext into) {
  const TransformerSizes& s = sizes_;
  if (rows < 0 || rows > s.text_len || static_cast<std::int64_t>(text.size()) != rows * s.text_dim)
    return fail(ErrorKind::kInvalid, "prompt: expected up to " + std::to_string(s.text_len) +
                                         " text states of width " + std::to_string(s.text_dim) + ", found " +
                                         std::to_string(rows) + " rows in " + std::to_string(text.size()) +
                                         " numbers");
  if (image_rows > 0 &&
      (!s.image_dim || static_cast<std::int64_t>(image.size()) != image_rows * s.image_dim ||
       (s.image_tokens && image_rows != s.image_tokens)))
    return fail(ErrorKind::kInvalid,
                s.image_dim ? "prompt: expected image tokens of width " + std::to_string(s.image_dim) +
                                  (s.image_tokens ? ", " + std::to_string(s.image_tokens) + " of them" : "")
                            : std::string("prompt: this model takes no image tokens"));
  if (s.image_dim && image_rows <= 0)
    return fail(ErrorKind::kInvalid,
                "prompt: this model needs image tokens of width " + std::to_string(s.image_dim));
  return guarded("prompt", [&]() -> Result<PromptContext> {
    const Tensor words = embed_text(text, rows);
    const Tensor pixels = image_rows > 0 ? embed_image(image, image_rows) : Tensor();
    into.blocks.resize(blocks_.size());
    into.vace_blocks.resize(vace_.size());
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      into.blocks[i] = cross_keys(*backend_, blocks_[i].cross, s.block, words, pixels, into.blocks[i]);
    for (std::size_t i = 0; i < vace_.size(); ++i)
      into.vace_blocks[i] =
          cross_keys(*backend_, vace_[i].block.cross, s.block, words, pixels, into.vace_blocks[i]);
    return into;
  });
}

Result<TokenGrid> Transformer::grid(std::int64_t frames, std::int64_t rows, std::int64_t columns) const {
  const kernels::Strides& p = sizes_.patch;
  if (frames < 1 || rows < 1 || columns < 1 || frames % p.t || rows % p.h || columns % p.w)
    return fail(ErrorKind::kInvalid, "a latent of " + std::to_string(frames) + "x" + std::to_string(rows) +
                                         "x" + std::to_string(columns) + " is no multiple of the patch " +
                                         std::to_string(p.t) + "x" + std::to_string(p.h) + "x" +
                                         std::to_string(p.w));
  return TokenGrid{frames / p.t, rows / p.h, columns / p.w};
}

const Tensor& Transformer::rope(const TokenGrid& grid, const TokenOrigin& origin) {
  if (rope_.empty() || !(grid == rope_grid_) || !(origin == rope_origin_)) {
    const std::vector<float> table = rope_table(grid, origin, sizes_.block.head_dim);
    rope_ = backend_->upload(kernels::host_tensor(table, {grid.tokens(), sizes_.block.head_dim / 2, 2}));
    rope_grid_ = grid;
    rope_origin_ = origin;
  }
  return rope_;
}

Status Transformer::check(const Tensor& x, const PromptContext& context, const VaceControl& vace) const {
  if (context.blocks.size() != blocks_.size() || context.vace_blocks.size() != vace_.size())
    return fail(ErrorKind::kInvalid, "velocity: the prompt was prepared for another model");
  if (!vace.latent.empty() &&
      (!sizes_.vace_dim || vace.latent.shape() != Shape{sizes_.vace_dim, x.dim(1), x.dim(2), x.dim(3)}))
    return fail(ErrorKind::kInvalid, "velocity: a control latent " + shape_text(vace.latent.shape()) +
                                         " does not fit this model and latent");
  return {};
}

Result<PassInputs> Transformer::inputs(const Tensor& x, const Timesteps& timesteps, const TokenOrigin& origin,
                                       const Tensor& waves) {
  const auto groups = static_cast<std::int64_t>(timesteps.values.size());
  if (x.empty() || x.rank() != 4 || x.dim(0) != sizes_.in_dim)
    return fail(ErrorKind::kInvalid, "velocity: expected a latent of " + std::to_string(sizes_.in_dim) +
                                         " channels, found " + (x.empty() ? "none" : shape_text(x.shape())));
  auto tokens = grid(x.dim(1), x.dim(2), x.dim(3));
  if (!tokens) return tl::unexpected(tokens.error());
  const bool grouped = !timesteps.group.empty();
  if (groups < 1 || (!grouped && groups != 1) ||
      (grouped && static_cast<std::int64_t>(timesteps.group.size()) != tokens->tokens()) ||
      std::any_of(timesteps.group.begin(), timesteps.group.end(),
                  [&](std::int32_t g) { return g < 0 || g >= groups; }))
    return fail(ErrorKind::kInvalid,
                "velocity: timesteps do not fit " + std::to_string(tokens->tokens()) + " tokens");
  return guarded("velocity", [&]() -> Result<PassInputs> {
    std::vector<float> values;
    for (float t : timesteps.values) {
      const std::vector<float> wave = time_sinusoid(t, sizes_.time_dim);
      values.insert(values.end(), wave.begin(), wave.end());
    }
    PassInputs made{x, waves, {}, rope(*tokens, origin)};
    if (made.waves.empty()) made.waves = backend_->empty(DType::kF32, {groups, sizes_.time_dim});
    kernels::write_values(*backend_, values, made.waves);
    if (grouped) made.group = backend_->upload(kernels::host_tensor(timesteps.group, {tokens->tokens()}));
    return made;
  });
}

std::vector<Tensor> Transformer::vace_hints(const VaceControl& vace, const Tensor& x,
                                            const BlockInputs& inputs, const PromptContext& context) {
  std::vector<Tensor> hints;
  if (vace.latent.empty()) return hints;
  const kernels::Strides& p = sizes_.patch;
  const Tensor patches = backend_->empty(DType::kF32, {x.dim(0), sizes_.vace_dim * p.t * p.h * p.w});
  const Tensor c = backend_->empty(DType::kF32, x.shape()), first = backend_->empty(DType::kF32, x.shape());
  kernels::patchify_tokens(*backend_, vace.latent, p, patches);
  backend_->linear(patches, *vace_patch_, first);
  backend_->linear(first, *vace_[0].before, c);
  backend_->combine({{1.0f, c}, {1.0f, x}}, c);
  ResidualStream stream{c, {}, {}};
  for (std::size_t i = 0; i < vace_.size(); ++i) {
    run_block(*backend_, vace_[i].block, sizes_.block, inputs, context.vace_blocks[i], stream);
    hints.push_back(backend_->empty(DType::kF32, x.shape()));
    backend_->linear(complete(*backend_, inputs, stream), *vace_[i].after, hints.back());
  }
  return hints;
}

// LN(x)(1 + scale) + shift with (shift, scale) = head.modulation + e, then the output projection.
Tensor Transformer::head(ResidualStream& stream, const Tensor& e, const Tensor& group) {
  Tensor m[2];
  for (std::int64_t i = 0; i < 2; ++i) {
    m[i] = backend_->empty(DType::kF32, e.shape());
    backend_->channel_affine(e, {}, head_modulation_.at(i), m[i]);
  }
  const Tensor normed = backend_->empty(DType::kF32, stream.x.shape());
  norm_stream(*backend_, stream, {}, {}, {m[0], m[1], group}, normed);
  const Tensor out = backend_->empty(DType::kF32, {normed.dim(0), head_->out_features});
  backend_->linear(normed, *head_, out);
  return out;
}

struct Transformer::Flight {
  PassInputs inputs;
  const PromptContext& context;
  VaceControl vace;
  BlockInputs shared = {};
  Tensor e = {};  // kF32 [G, dim]
  ResidualStream stream = {};
  std::vector<Tensor> hints = {};  // of the VACE blocks

  void land() { shared = {}, e = {}, stream = {}, hints.clear(); }
};

// The timesteps' embedding, the latent as tokens, and what the control blocks make of both.
void Transformer::begin(Flight& flight) {
  const std::int64_t dim = sizes_.block.dim, groups = flight.inputs.waves.dim(0);
  const Tensor hidden = backend_->empty(DType::kF32, {groups, dim});
  const Tensor raw = backend_->empty(DType::kF32, {groups, 6 * dim});
  flight.e = backend_->empty(DType::kF32, {groups, dim});
  flight.shared = {backend_->empty(DType::kF32, {6, groups, dim}), flight.inputs.group, flight.inputs.rope,
                   probe_, product_probe_};
  backend_->linear(flight.inputs.waves, *time0_, hidden, Activation::kSilu);
  backend_->linear(hidden, *time2_, flight.e);
  backend_->activate(flight.e, Activation::kSilu, hidden);
  backend_->linear(hidden, *time_projection_, raw);
  backend_->permute(raw.reshape({groups, 6, dim}), {1, 0, 2}, flight.shared.e0);

  const std::int64_t length = flight.inputs.rope.dim(0);
  flight.stream = {backend_->empty(DType::kF32, {length, dim}), {}, {}};
  const Tensor patches = backend_->empty(DType::kF32, {length, patch_->in_features});
  kernels::patchify_tokens(*backend_, flight.inputs.x, sizes_.patch, patches);
  backend_->linear(patches, *patch_, flight.stream.x);
  flight.hints = vace_hints(flight.vace, flight.stream.x, flight.shared, flight.context);
}

void Transformer::block(Flight& flight, std::int64_t layer) {
  const auto n = static_cast<std::size_t>(layer);
  run_block(*backend_, blocks_[n], sizes_.block, flight.shared, flight.context.blocks[n], flight.stream);
  const auto listed = std::find(sizes_.vace_layers.begin(), sizes_.vace_layers.end(), layer);
  if (flight.hints.empty() || listed == sizes_.vace_layers.end()) return;
  const Tensor& hint = flight.hints[static_cast<std::size_t>(listed - sizes_.vace_layers.begin())];
  const Tensor& x = complete(*backend_, flight.shared, flight.stream);
  backend_->combine({{1.0f, x}, {flight.vace.scale, hint}}, flight.stream.x);
}

kernels::PassParts Transformer::parts(const PassInputs& inputs, const PromptContext& context,
                                      const VaceControl& vace, const Tensor& out) {
  kernels::PassParts made;
  const auto flight = std::make_shared<Flight>(Flight{inputs, context, vace});
  for (std::int64_t i = 0; i < sizes_.layers; ++i)
    made.emplace_back([this, flight, out, i] {
      if (i == 0) begin(*flight);
      block(*flight, i);
      if (i + 1 < sizes_.layers) return;
      kernels::unpatchify_tokens(*backend_, head(flight->stream, flight->e, flight->inputs.group),
                                 sizes_.patch, out);
      flight->land();  // a recording keeps the memory, not the tensors
    });
  return made;
}

Result<Tensor> Transformer::velocity(const Tensor& latent, const Timesteps& timesteps,
                                     const PromptContext& context, const TokenOrigin& origin,
                                     const VaceControl& vace, const StopCheck& stop) {
  auto read = inputs(latent, timesteps, origin);
  if (!read) return tl::unexpected(read.error());
  if (auto ok = check(latent, context, vace); !ok) return tl::unexpected(ok.error());
  return guarded("velocity", [&]() -> Result<Tensor> {
    const Tensor out =
        backend_->empty(DType::kF32, {sizes_.out_dim, latent.dim(1), latent.dim(2), latent.dim(3)});
    if (auto ran = run_parts(*backend_, nullptr, parts(*read, context, vace, out), stop); !ran)
      return tl::unexpected(ran.error());
    return out;
  });
}

Status run_parts(kernels::Backend& backend, kernels::Recording* recording, const kernels::PassParts& parts,
                 const StopCheck& stop) {
  const auto go_on = [&] {
    backend.pace();  // else all blocks are on their way before the first has ended
    return !stop();
  };
  if (!backend.run_pass(recording, parts, stop ? std::function<bool()>(go_on) : nullptr))
    return fail(ErrorKind::kConflict, "stopped on request");
  return {};
}

}  // namespace rushes::worker
