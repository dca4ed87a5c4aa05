// The writing half of exr.h.
#include <ImfChannelList.h>
#include <ImfChromaticitiesAttribute.h>
#include <ImfFloatAttribute.h>
#include <ImfFrameBuffer.h>
#include <ImfHeader.h>
#include <ImfIO.h>
#include <ImfIntAttribute.h>
#include <ImfOutputFile.h>
#include <ImfRationalAttribute.h>
#include <ImfStandardAttributes.h>
#include <ImfStringAttribute.h>
#include <ImfTimeCodeAttribute.h>
#include <ImfVecAttribute.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "worker/picture/atomic_file.h"
#include "worker/picture/exr.h"

namespace rushes::worker {
namespace {

// OpenEXR writes into memory: the bytes go to disk (or to the vault) in one piece.
class MemoryOutput : public Imf::OStream {
 public:
  MemoryOutput() : Imf::OStream("memory") {}
  void write(const char bytes[], int count) override {
    const auto size = static_cast<std::size_t>(count);
    if (position_ + size > bytes_.size()) bytes_.resize(position_ + size);
    std::memcpy(bytes_.data() + position_, bytes, size);
    position_ += size;
  }
  std::uint64_t tellp() override { return position_; }
  void seekp(std::uint64_t position) override { position_ = position; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
  std::size_t position_ = 0;
};

bool is_plain_name(const std::string& name) {
  if (name.empty() || name.size() > 200) return false;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    if (!plain) return false;
  }
  return true;
}

Status check_name(const std::string& key, const std::string& name) {
  if (is_plain_name(name)) return {};
  return fail(ErrorKind::kInvalid,
              key + ": expected 1 to 200 characters of A-Z a-z 0-9 . _ -, found \"" + name + "\"");
}

void add_text(Imf::Header& header, const char* name, const std::string& text) {
  if (!text.empty()) header.insert(name, Imf::StringAttribute(text));
}

void add_colour(Imf::Header& header) {
  const auto point = [](const Chromaticity& c) {
    return Imath::V2f(static_cast<float>(c.x), static_cast<float>(c.y));
  };
  Imf::addChromaticities(
      header, Imf::Chromaticities(point(kAp0.red), point(kAp0.green), point(kAp0.blue), point(kAp0.white)));
  Imf::addAdoptedNeutral(header, point(kAp0.white));
  add_text(header, "colorInteropID", "lin_ap0_scene");
}

void add_editorial(Imf::Header& header, const DeliveryTags& tags, config::Rate fps, int index,
                   int first_number) {
  Imf::addFramesPerSecond(header, Imf::Rational(fps.numerator, static_cast<unsigned>(fps.denominator)));
  if (config::has_timecode(fps)) {
    const config::Timecode code = config::advance(tags.first_timecode, index, fps);
    const int shared = frames_per_address(fps), place = code.frames % shared;
    Imf::TimeCode address(code.hours, code.minutes, code.seconds, code.frames / shared, code.drop);
    address.setFieldPhase(place % 2 == 1);
    address.setBinaryGroup(1, place / 2);
    Imf::addTimeCode(header, address);
    if (shared > 1) add_text(header, "rushes/timecode", config::to_string(code));
  }
  header.insert("imageCounter", Imf::IntAttribute(first_number + index));
  add_text(header, "reelName", reel_name(tags));
  add_text(header, "owner", tags.owner);
  add_text(header, "comments", tags.comments);
  add_text(header, "capDate", tags.capture_date);
  if (!tags.capture_date.empty()) Imf::addUtcOffset(header, 0.0F);
}

void add_making(Imf::Header& header, const DeliveryTags& tags, WindowFrame made) {
  add_text(header, "rushes/shot", tags.shot);
  add_text(header, "rushes/kind", tags.kind);
  add_text(header, "rushes/version", tags.version);
  header.insert("rushes/take", Imf::IntAttribute(tags.take));
  header.insert("rushes/window", Imf::IntAttribute(made.window));
  header.insert("rushes/frameInWindow", Imf::IntAttribute(made.frame_in_window));
  add_text(header, "rushes/seed", std::to_string(tags.seed));
  add_text(header, "rushes/modelDigest", tags.model_digest);
  add_text(header, "rushes/recipeHash", tags.recipe_hash);
  add_text(header, "rushes/numericClass", tags.numeric_class);
  add_text(header, "rushes/engineBuild", tags.engine_build);
  add_text(header, "rushes/promptHash", tags.prompt_hash);
  add_text(header, "rushes/parentTake", tags.parent_take);
  if (tags.render_width > 0 && tags.render_height > 0) {
    header.insert("rushes/renderResolution",
                  Imf::V2iAttribute(Imath::V2i(tags.render_width, tags.render_height)));
  }
  if (tags.critique_score) {
    header.insert("rushes/critiqueScore", Imf::FloatAttribute(static_cast<float>(*tags.critique_score)));
  }
  add_text(header, "rushes/critiqueVerdict", tags.critique_verdict);
}

// The frame as halves in three planes, or the place of the first value that half cannot hold.
Result<std::vector<std::uint16_t>> half_planes(ClipView frame) {
  const auto width = static_cast<std::size_t>(frame.width());
  const std::size_t plane = width * static_cast<std::size_t>(frame.height());
  std::vector<std::uint16_t> planes(plane * kChannels);
  for (int y = 0; y < frame.height(); ++y) {
    const float* row = frame.row(0, y);
    for (std::size_t x = 0; x < width; ++x) {
      for (std::size_t c = 0; c < kChannels; ++c) {
        const std::uint16_t half = half_from_float(row[x * kChannels + c]);
        if ((half & 0x7C00U) == 0x7C00U) {
          return fail(ErrorKind::kInvalid, "pixel (" + std::to_string(x) + ", " + std::to_string(y) +
                                               "): expected finite light within half float, found " +
                                               std::to_string(row[x * kChannels + c]));
        }
        planes[c * plane + static_cast<std::size_t>(y) * width + x] = half;
      }
    }
  }
  return planes;
}

}  // namespace

int frames_per_address(config::Rate fps) {
  const int base = config::timecode_base(fps);
  return base <= 30 ? 1 : base <= 60 ? 2 : 4;
}

std::string delivery_name(const DeliveryTags& tags) {
  return tags.shot + "_" + (tags.kind.empty() ? "" : tags.kind + "_") + tags.version;
}

std::string reel_name(const DeliveryTags& tags) {
  return tags.reel_name.empty() ? delivery_name(tags) : tags.reel_name;
}

std::string exr_file_name(const std::string& name, int frame_number) {
  std::array<char, 16> number{};
  std::snprintf(number.data(), number.size(), "%04d", frame_number);
  return name + "_lin_ap0_scene." + number.data() + ".exr";
}

Result<std::string> encode_exr(ClipView frame, const DeliveryTags& tags, WindowFrame made, int index,
                               int first_number) {
  if (auto named = check_name("shot", tags.shot); !named) return tl::unexpected<Error>(named.error());
  if (auto named = check_name("version", tags.version); !named) return tl::unexpected<Error>(named.error());
  if (auto named = tags.kind.empty() ? Status() : check_name("kind", tags.kind); !named)
    return tl::unexpected<Error>(named.error());
  if (frame.frames() != 1 || frame.empty()) {
    return fail(ErrorKind::kInvalid, "EXR: expected one frame, found " + std::to_string(frame.frames()));
  }
  auto planes = half_planes(frame);
  if (!planes) {
    return with_context(planes.error(), "frame " + std::to_string(first_number + index));
  }
  try {
    Imf::Header header(frame.width(), frame.height());
    header.compression() = Imf::PIZ_COMPRESSION;
    add_colour(header);
    add_editorial(header, tags, frame.fps(), index, first_number);
    add_making(header, tags, made);
    const std::size_t plane = planes->size() / kChannels;
    const std::size_t row_bytes = static_cast<std::size_t>(frame.width()) * sizeof(std::uint16_t);
    Imf::FrameBuffer buffer;
    const std::array<const char*, kChannels> names{"R", "G", "B"};
    for (std::size_t c = 0; c < kChannels; ++c) {
      header.channels().insert(names[c], Imf::Channel(Imf::HALF));
      buffer.insert(names[c], Imf::Slice(Imf::HALF, reinterpret_cast<char*>(planes->data() + c * plane),
                                         sizeof(std::uint16_t), row_bytes));
    }
    MemoryOutput memory;
    {
      Imf::OutputFile file(memory, header, 0);  // its destructor writes the line offsets
      file.setFrameBuffer(buffer);
      file.writePixels(frame.height());
    }
    return memory.take();
  } catch (const std::exception& error) {
    return fail(ErrorKind::kInternal, "frame " + std::to_string(first_number + index) + ": " + error.what());
  }
}

Result<std::vector<std::string>> write_exr_sequence(const std::string& folder, ClipView clip,
                                                    const DeliveryTags& tags,
                                                    std::span<const WindowFrame> made, int first_number) {
  if (!made.empty() && made.size() != static_cast<std::size_t>(clip.frames())) {
    return fail(ErrorKind::kInvalid, "EXR sequence: expected one window entry per frame (" +
                                         std::to_string(clip.frames()) + "), found " +
                                         std::to_string(made.size()));
  }
  std::vector<std::string> paths;
  for (int t = 0; t < clip.frames(); ++t) {
    const WindowFrame where = made.empty() ? WindowFrame{0, t} : made[static_cast<std::size_t>(t)];
    auto bytes = encode_exr(clip.one(t), tags, where, t, first_number);
    if (!bytes) return with_context(bytes.error(), "shot " + tags.shot);
    const std::string path =
        (std::filesystem::path(folder) / exr_file_name(delivery_name(tags), first_number + t)).string();
    if (auto written = write_file(path, *bytes); !written) return tl::unexpected<Error>(written.error());
    paths.push_back(path);
  }
  return paths;
}

}  // namespace rushes::worker
