#include "tests/fuzz/targets.h"
#include "worker/engine/payload.h"
#include "worker/engine/task.h"
#include "worker/model/safetensors.h"
#include "worker/model/safetensors_header.h"

namespace rushes::fuzz {

using namespace rushes::worker;

namespace {
std::span<const std::byte> raw(std::string_view bytes) { return std::as_bytes(std::span(bytes)); }
}  // namespace

void safetensors_header(std::string_view bytes) {
  if (const auto header = parse_header(bytes)) {
    const auto again = parse_header(format_header(header->entries, header->metadata));
    require(again.has_value() && again->metadata == header->metadata &&
                again->entries.size() == header->entries.size(),
            "what was read can be written");
  }
  (void)parse_index(bytes);
}

void safetensors(std::string_view bytes) {
  const auto file = TensorFile::from_bytes({raw(bytes).begin(), raw(bytes).end()}, "fuzz");
  if (!file) return require(!file.error().message.empty(), "a refusal says why");
  for (const auto& [name, tensor] : file->tensors()) {
    require(static_cast<std::size_t>(tensor.count()) * stored_size(tensor.type) == tensor.data.size(),
            "a tensor's bytes are its shape's");
    (void)file->floats(name);
    (void)file->integers(name);
  }
}

void payload(std::string_view bytes) {
  const std::vector<std::byte> aligned(raw(bytes).begin(), raw(bytes).end());
  if (const auto view = read_latents(aligned, "fuzz")) {
    Latents latents{view->channels, view->region, {view->values.begin(), view->values.end()}, {}, {}};
    latents.sampler.step = view->step;
    latents.sampler.order = view->order;
    const auto written = write_latents(latents);
    require(written.has_value(), "what was read can be written");
    require(read_latents(*written, "again").has_value(), "what was written reads");
  }
  if (const auto conditioning = read_conditioning(raw(bytes), "fuzz"))
    require(write_conditioning(*conditioning).has_value(), "what was read can be written");
  if (const auto pixels = PixelReader::open(raw(bytes), "fuzz")) {
    const PixelBox& box = pixels->box();
    std::vector<float> row(static_cast<std::size_t>(box.width) * kChannels);
    pixels->read_row(box.frames - 1, box.height - 1, 0, box.width, row.data());
  }
}

void task(std::string_view bytes) {
  const auto read = read_task(bytes);
  if (!read) return require(!read.error().message.empty(), "a refusal says why");
  require(static_cast<std::size_t>(read->window) < read->windows().size() || read->windows().empty() ||
              read->whole_take || read->stage != Stage::kDenoise,
          "a window is one of the take's");
}

}  // namespace rushes::fuzz
