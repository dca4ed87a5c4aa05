#include "worker/engine/payload.h"

#include <algorithm>
#include <cstring>

#include "worker/model/safetensors.h"

namespace rushes::worker {
namespace {

constexpr const char* kHistory = "sampler.";

std::vector<std::int64_t> shape_of(int channels, const Region& region) {
  return {channels, region.t.length(), region.rect.height, region.rect.width};
}

Result<TensorFile> open(std::span<const std::byte> bytes, const std::string& label) {
  return TensorFile::from_bytes(std::vector<std::byte>(bytes.begin(), bytes.end()), label);
}

Result<int> number(const TensorFile& file, const char* key) {
  const auto text = file.meta(key);
  if (!text || text->empty() || text->size() > 8 ||
      text->find_first_not_of("0123456789") != std::string::npos)
    return fail(ErrorKind::kCorrupt, file.path() + ": metadata " + key + ": expected a number");
  return std::stoi(*text);
}

// Sizes that an int holds with room to spare, none of them zero: an empty tensor may claim any other size.
bool is_box(const std::vector<std::int64_t>& shape, std::size_t rank) {
  return shape.size() == rank && std::all_of(shape.begin(), shape.end(),
                                             [](std::int64_t size) { return size >= 1 && size <= 1 << 24; });
}

// A tensor of the given name as floats, of exactly `count` values.
Result<std::vector<float>> values_of(const TensorFile& file, const std::string& name, std::size_t count) {
  auto values = file.floats(name);
  if (!values) return tl::unexpected(values.error());
  if (values->size() != count)
    return fail(ErrorKind::kCorrupt, file.path() + ": " + name + ": expected " + std::to_string(count) +
                                         " values, found " + std::to_string(values->size()));
  return values;
}

Status read_history(const TensorFile& file, std::size_t count, SamplerState& state) {
  auto step = number(file, "step");
  auto order = number(file, "order");
  if (!step || !order) return tl::unexpected(step ? order.error() : step.error());
  state.step = *step;
  state.order = *order;
  for (const auto& [name, tensor] : file.tensors()) {
    if (name.rfind(kHistory, 0) != 0) continue;
    auto values = values_of(file, name, count);
    if (!values) return tl::unexpected(values.error());
    state.arrays[name.substr(std::strlen(kHistory))] = std::move(*values);
  }
  return {};
}

}  // namespace

Result<std::vector<std::byte>> write_latents(const Latents& latents) {
  const auto shape = shape_of(latents.channels, latents.region);
  std::vector<TensorToWrite> tensors{float_tensor("latent", shape, latents.values)};
  if (!latents.preview.empty()) tensors.push_back(float_tensor("preview", shape, latents.preview));
  for (const auto& [name, values] : latents.sampler.arrays)
    tensors.push_back(float_tensor(kHistory + name, shape, values));
  return write_tensors(std::move(tensors), {{"t", std::to_string(latents.region.t.begin)},
                                            {"y", std::to_string(latents.region.rect.y)},
                                            {"x", std::to_string(latents.region.rect.x)},
                                            {"step", std::to_string(latents.sampler.step)},
                                            {"order", std::to_string(latents.sampler.order)}});
}

Result<Latents> read_latents(std::span<const std::byte> bytes, const std::string& label) {
  auto file = open(bytes, label);
  if (!file) return tl::unexpected(file.error());
  auto tensor = file->get("latent");
  if (!tensor) return tl::unexpected(tensor.error());
  const auto& shape = (*tensor)->shape;
  if (!is_box(shape, 4)) return fail(ErrorKind::kCorrupt, label + ": latent: expected 4 dimensions");
  auto t = number(*file, "t");
  auto y = number(*file, "y");
  auto x = number(*file, "x");
  if (!t || !y || !x) return fail(ErrorKind::kCorrupt, label + ": latent: no position");
  Latents latents;
  latents.channels = static_cast<int>(shape[0]);
  latents.region = {{*t, *t + static_cast<int>(shape[1])},
                    {*y, *x, static_cast<int>(shape[2]), static_cast<int>(shape[3])}};
  const std::size_t count = latents.region.volume() * static_cast<std::size_t>(latents.channels);
  auto values = values_of(*file, "latent", count);
  if (!values) return tl::unexpected(values.error());
  latents.values = std::move(*values);
  if (file->has("preview")) {
    auto preview = values_of(*file, "preview", count);
    if (!preview) return tl::unexpected(preview.error());
    latents.preview = std::move(*preview);
  }
  if (Status history = read_history(*file, count, latents.sampler); !history)
    return tl::unexpected(history.error());
  return latents;
}

Result<std::vector<std::byte>> write_conditioning(const Conditioning& conditioning) {
  const auto rows = [&](const std::vector<float>& values) {
    return std::vector<std::int64_t>{static_cast<std::int64_t>(values.size()) / conditioning.text_dim,
                                     conditioning.text_dim};
  };
  std::vector<TensorToWrite> tensors{
      float_tensor("context", rows(conditioning.context), conditioning.context),
      float_tensor("context_null", rows(conditioning.context_null), conditioning.context_null)};
  if (!conditioning.mask.empty()) {
    tensors.push_back(
        float_tensor("mask", {static_cast<std::int64_t>(conditioning.mask.size())}, conditioning.mask));
    tensors.push_back(float_tensor("condition", {static_cast<std::int64_t>(conditioning.condition.size())},
                                   conditioning.condition));
  }
  return write_tensors(std::move(tensors), {});
}

Result<Conditioning> read_conditioning(std::span<const std::byte> bytes, const std::string& label) {
  auto file = open(bytes, label);
  if (!file) return tl::unexpected(file.error());
  Conditioning conditioning;
  for (auto [name, target] : {std::pair<const char*, std::vector<float>*>{"context", &conditioning.context},
                              {"context_null", &conditioning.context_null}}) {
    auto tensor = file->get(name);
    if (!tensor) return tl::unexpected(tensor.error());
    const auto& shape = (*tensor)->shape;
    if (!is_box(shape, 2) || (conditioning.text_dim != 0 && conditioning.text_dim != shape[1]))
      return fail(ErrorKind::kCorrupt, label + ": " + name + ": expected [len, dim], both of one dim");
    conditioning.text_dim = static_cast<int>(shape[1]);
    auto values = file->floats(name);
    if (!values) return tl::unexpected(values.error());
    *target = std::move(*values);
  }
  if (file->has("mask")) {
    auto mask = file->floats("mask");
    auto condition = file->floats("condition");
    if (!mask || !condition)
      return fail(ErrorKind::kCorrupt, label + ": expected mask and condition together");
    conditioning.mask = std::move(*mask);
    conditioning.condition = std::move(*condition);
  }
  return conditioning;
}

Result<std::vector<std::byte>> write_pixels(const PixelTile& tile) {
  std::vector<std::uint16_t> halves(tile.clip.pixels.size());
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = half_from_float(tile.clip.pixels[i]);
  TensorToWrite pixels{"pixels",
                       StoredType::kF16,
                       {tile.clip.frames, tile.clip.height, tile.clip.width, kChannels},
                       std::as_bytes(std::span(halves))};
  return write_tensors({pixels}, {{"y", std::to_string(tile.y)},
                                  {"x", std::to_string(tile.x)},
                                  {"fps_numerator", std::to_string(tile.clip.fps.numerator)},
                                  {"fps_denominator", std::to_string(tile.clip.fps.denominator)}});
}

Result<PixelTile> read_pixels(std::span<const std::byte> bytes, const std::string& label) {
  auto file = open(bytes, label);
  if (!file) return tl::unexpected(file.error());
  auto tensor = file->get("pixels");
  if (!tensor) return tl::unexpected(tensor.error());
  const auto& shape = (*tensor)->shape;
  auto y = number(*file, "y");
  auto x = number(*file, "x");
  auto numerator = number(*file, "fps_numerator");
  auto denominator = number(*file, "fps_denominator");
  if (!is_box(shape, 4) || shape[3] != kChannels || !y || !x || !numerator || !denominator)
    return fail(ErrorKind::kCorrupt, label + ": pixels: expected [T, H, W, 3] with position and rate");
  auto clip = make_clip(static_cast<int>(shape[2]), static_cast<int>(shape[1]), static_cast<int>(shape[0]),
                        {*numerator, *denominator});
  if (!clip) return with_context(clip.error(), label);
  widen(**tensor, clip->pixels);
  return PixelTile{*y, *x, std::move(*clip)};
}

}  // namespace rushes::worker
