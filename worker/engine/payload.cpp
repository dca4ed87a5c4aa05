#include "worker/engine/payload.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "worker/model/safetensors.h"

namespace rushes::worker {
namespace {

constexpr const char* kHistory = "sampler.";

std::vector<std::int64_t> shape_of(int channels, const Region& region) {
  return {channels, region.t.size(), region.rect.height, region.rect.width};
}

Result<TensorFile> open(std::span<const std::byte> bytes, const std::string& label) {
  return TensorFile::over(bytes, label);
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

// A tensor of the given name as floats where they lie, of exactly `count` values.
Result<std::span<const float>> values_in_place(const TensorFile& file, const std::string& name,
                                               std::size_t count) {
  auto values = file.floats_in_place(name);
  if (values && values->size() != count)
    return fail(ErrorKind::kCorrupt, file.path() + ": " + name + ": expected " + std::to_string(count) +
                                         " values, found " + std::to_string(values->size()));
  return values;
}

Status read_history(const TensorFile& file, std::size_t count, LatentView& latents) {
  auto step = number(file, "step");
  auto order = number(file, "order");
  if (!step || !order) return tl::unexpected(step ? order.error() : step.error());
  latents.step = *step;
  latents.order = *order;
  for (const auto& [name, tensor] : file.tensors()) {
    if (name.rfind(kHistory, 0) != 0) continue;
    auto values = values_in_place(file, name, count);
    if (!values) return tl::unexpected(values.error());
    latents.history[name.substr(std::strlen(kHistory))] = *values;
  }
  return {};
}

std::map<std::string, std::string> latent_metadata(const Region& region, const SamplerState& sampler) {
  return {{"t", std::to_string(region.t.begin)},
          {"y", std::to_string(region.rect.y)},
          {"x", std::to_string(region.rect.x)},
          {"step", std::to_string(sampler.step)},
          {"order", std::to_string(sampler.order)}};
}

}  // namespace

Result<std::vector<std::byte>> write_latents(const Latents& latents) {
  const auto shape = shape_of(latents.channels, latents.region);
  std::vector<TensorToWrite> tensors{float_tensor("latent", shape, latents.values)};
  if (!latents.preview.empty()) tensors.push_back(float_tensor("preview", shape, latents.preview));
  for (const auto& [name, values] : latents.sampler.arrays)
    tensors.push_back(float_tensor(kHistory + name, shape, values));
  return write_tensors(std::move(tensors), latent_metadata(latents.region, latents.sampler));
}

Result<std::vector<std::byte>> guide_header(int channels, const Region& region) {
  return write_header("latent", StoredType::kF32, shape_of(channels, region), latent_metadata(region, {}));
}

Result<LatentView> read_latents(std::span<const std::byte> bytes, const std::string& label) {
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
  LatentView latents;
  latents.channels = static_cast<int>(shape[0]);
  latents.region = {{*t, *t + static_cast<int>(shape[1])},
                    {*y, *x, static_cast<int>(shape[2]), static_cast<int>(shape[3])}};
  const std::size_t count = latents.region.volume() * static_cast<std::size_t>(latents.channels);
  auto values = values_in_place(*file, "latent", count);
  if (!values) return tl::unexpected(values.error());
  latents.values = *values;
  if (file->has("preview")) {
    auto preview = values_in_place(*file, "preview", count);
    if (!preview) return tl::unexpected(preview.error());
    latents.preview = *preview;
  }
  if (Status history = read_history(*file, count, latents); !history) return tl::unexpected(history.error());
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

Result<std::vector<std::byte>> pixel_header(const PixelBox& box) {
  return write_header("pixels", StoredType::kF16, {box.frames, box.height, box.width, kChannels},
                      {{"y", std::to_string(box.y)},
                       {"x", std::to_string(box.x)},
                       {"fps_numerator", std::to_string(box.fps.numerator)},
                       {"fps_denominator", std::to_string(box.fps.denominator)}});
}

std::vector<std::byte> half_bytes(ClipView frames) {
  const std::size_t row_values = static_cast<std::size_t>(frames.width()) * kChannels;
  std::vector<std::byte> bytes(row_values * static_cast<std::size_t>(frames.height()) *
                               static_cast<std::size_t>(frames.frames()) * sizeof(std::uint16_t));
  std::byte* out = bytes.data();
  std::vector<std::uint16_t> halves(row_values);
  for (int t = 0; t < frames.frames(); ++t)
    for (int y = 0; y < frames.height(); ++y, out += row_values * sizeof(std::uint16_t)) {
      std::transform(frames.row(t, y), frames.row(t, y) + row_values, halves.begin(), half_from_float);
      std::memcpy(out, halves.data(), row_values * sizeof(std::uint16_t));
    }
  return bytes;
}

Result<PixelReader> PixelReader::open(std::span<const std::byte> bytes, const std::string& label) {
  auto file = worker::open(bytes, label);
  if (!file) return tl::unexpected(file.error());
  auto tensor = file->get("pixels");
  if (!tensor) return tl::unexpected(tensor.error());
  const auto& shape = (*tensor)->shape;
  auto y = number(*file, "y");
  auto x = number(*file, "x");
  auto numerator = number(*file, "fps_numerator");
  auto denominator = number(*file, "fps_denominator");
  if (!is_box(shape, 4) || shape[3] != kChannels || (*tensor)->type != StoredType::kF16 || !y || !x ||
      !numerator || !denominator || *numerator < 1 || *denominator < 1)
    return fail(ErrorKind::kCorrupt, label + ": pixels: expected halves [T, H, W, 3] with position and rate");
  PixelReader reader;
  reader.box_ = {*y,
                 *x,
                 static_cast<int>(shape[1]),
                 static_cast<int>(shape[2]),
                 static_cast<int>(shape[0]),
                 {*numerator, *denominator}};
  if (reader.box_.height > kMaxPictureSide || reader.box_.width > kMaxPictureSide ||
      reader.box_.frames > kMaxClipFrames)
    return fail(ErrorKind::kCorrupt, label + ": pixels: expected sides of at most " +
                                         std::to_string(kMaxPictureSide) + ", found " + shape_text(shape));
  reader.halves_ = (*tensor)->data;
  return reader;
}

void PixelReader::read_row(int t, int y, int x, int count, float* out) const {
  assert(t >= 0 && t < box_.frames && y >= 0 && y < box_.height && x >= 0 && count >= 0 &&
         x <= box_.width - count);
  const std::size_t row =
      static_cast<std::size_t>(t) * static_cast<std::size_t>(box_.height) + static_cast<std::size_t>(y);
  const std::size_t first = row * static_cast<std::size_t>(box_.width) + static_cast<std::size_t>(x);
  const std::byte* at = halves_.data() + first * kChannels * sizeof(std::uint16_t);
  for (int i = 0; i < count * kChannels; ++i, at += sizeof(std::uint16_t)) {
    std::uint16_t half = 0;
    std::memcpy(&half, at, sizeof half);
    out[i] = float_from_half(half);
  }
}

}  // namespace rushes::worker
