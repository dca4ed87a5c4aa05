// The OCIO half of colour.h: the studio's configuration, and nothing else, decides what a display shows.
#include <OpenColorIO/OpenColorIO.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "config/file_kind.h"
#include "worker/picture/colour.h"

namespace rushes::worker {

namespace ocio = OCIO_NAMESPACE;

struct DisplayView::Processor {
  ocio::ConstCPUProcessorRcPtr cpu;
};

namespace {

std::string listing(const ocio::ConstConfigRcPtr& config) {
  std::string text;
  for (int d = 0; d < config->getNumDisplays(); ++d) {
    const char* display = config->getDisplay(d);
    for (int v = 0; v < config->getNumViews(display); ++v) {
      text += (text.empty() ? "\"" : ", \"") + std::string(display) + "\" / \"" +
              config->getView(display, v) + "\"";
    }
  }
  return text;
}

bool has_view(const ocio::ConstConfigRcPtr& config, const std::string& display, const std::string& view) {
  for (int v = 0; v < config->getNumViews(display.c_str()); ++v) {
    if (view == config->getView(display.c_str(), v)) return true;
  }
  return false;
}

}  // namespace

Result<DisplayView> DisplayView::open(const std::string& config_file, const std::string& display,
                                      const std::string& view) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(config_file, ignored)) {
    return fail(ErrorKind::kNotFound,
                config_file + ": expected an OCIO configuration, found " + config::kind_of_file(config_file));
  }
  try {
    const ocio::ConstConfigRcPtr config = ocio::Config::CreateFromFile(config_file.c_str());
    if (!has_view(config, display, view)) {
      return fail(ErrorKind::kInvalid, config_file + ": expected display \"" + display + "\" with view \"" +
                                           view + "\", found " + listing(config));
    }
    auto transform = ocio::DisplayViewTransform::Create();
    transform->setSrc("ACES2065-1");
    transform->setDisplay(display.c_str());
    transform->setView(view.c_str());
    auto processor = std::make_shared<Processor>();
    processor->cpu = config->getProcessor(transform)->getDefaultCPUProcessor();
    DisplayView out;
    out.processor_ = std::move(processor);
    return out;
  } catch (const ocio::Exception& error) {
    return fail(ErrorKind::kInvalid, config_file + ": " + error.what());
  }
}

Result<DisplayView> DisplayView::sdr(const std::string& config_file) {
  return open(config_file, "sRGB", "ACES 1.1 SDR");
}

Result<std::vector<float>> DisplayView::apply(ClipView clip, int t) const {
  const ClipView frame = clip.one(t);
  Clip copy = frame.copy();
  try {
    ocio::PackedImageDesc image(copy.pixels.data(), copy.width, copy.height, kChannels);
    processor_->cpu->apply(image);
  } catch (const ocio::Exception& error) {
    return fail(ErrorKind::kInternal, std::string("display view: ") + error.what());
  }
  return std::move(copy.pixels);
}

Result<std::vector<std::uint8_t>> DisplayView::apply_8bit(ClipView clip, int t) const {
  auto display = apply(clip, t);
  if (!display) return tl::unexpected<Error>(display.error());
  std::vector<std::uint8_t> out(display->size());
  std::transform(display->begin(), display->end(), out.begin(), [](float value) {
    if (!(value > 0.0F)) return std::uint8_t{0};  // NaN too
    return static_cast<std::uint8_t>(std::min(value, 1.0F) * 255.0F + 0.5F);
  });
  return out;
}

}  // namespace rushes::worker
