#include "worker/picture/verify.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "worker/picture/atomic_file.h"
#include "worker/picture/exr.h"
#include "worker/picture/manifest.h"
#include "worker/picture/movie.h"
#include "worker/picture/png_image.h"
#include "worker/picture/sequence.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kColourSuffix = "_lin_ap0_scene.";
constexpr std::string_view kSheetSuffix = "_contact.png";
constexpr std::string_view kGrowing = ".part";  // in the names of what is being written
constexpr const char* kLeftFolder = "a folder that is being written, or was when its writer stopped";
constexpr std::size_t kMaxFindings = 1000;  // a broken folder must not become a broken report

// One audit, growing its report.
class Audit {
 public:
  explicit Audit(const std::string& folder) : folder_(folder) { report_.folder = folder; }

  DeliveryReport run();

 private:
  void error(const std::string& check, const std::string& file, const std::string& message) {
    add(Severity::kError, check, file, message);
  }
  void warn(const std::string& check, const std::string& file, const std::string& message) {
    add(Severity::kWarning, check, file, message);
  }
  void add(Severity severity, const std::string& check, const std::string& file, const std::string& message) {
    if (report_.findings.size() < kMaxFindings)
      report_.findings.push_back({severity, check, relative(file), message});
  }
  std::string relative(const std::string& path) const {
    const fs::path out = fs::path(path).lexically_relative(folder_);
    return out.empty() ? path : out.string();
  }

  std::vector<fs::path> list_folders();
  void check_sequence(const SequenceFiles& files);
  PixelRange check_frame(const ExrFrame& frame, const std::string& file, int number);
  void check_layout(const ExrHeader& header, const std::string& file);
  void check_colour(const ExrHeader& header, const std::string& file);
  void check_making(const ExrHeader& header, const std::string& file);
  void check_step(const ExrHeader& first, const ExrHeader& before, const ExrHeader& now,
                  const std::string& file);
  void check_sizes(const SequenceFiles& files, const std::vector<std::uintmax_t>& sizes);
  DeliverySequence* owner_of(const std::string& file);
  void check_movies();
  void check_movie(DeliverySequence& sequence, const std::string& file);
  void check_sheets();
  void check_manifests();
  void check_manifest(const std::string& file, const std::string& text);
  void check_unlisted(const std::string& manifest, const std::set<std::string>& listed);

  std::string folder_;
  DeliveryReport report_;
  std::vector<std::string> movies_, sheets_, json_;
};

std::vector<fs::path> Audit::list_folders() {
  std::vector<fs::path> folders{folder_};
  std::error_code code;
  std::size_t hidden = 0;
  std::string a_hidden;
  const std::string own = fs::absolute(folder_, code).lexically_normal().filename().string();
  if (own.starts_with('.') && own.find(kGrowing) != own.npos) warn("leftover", folder_, kLeftFolder);
  fs::recursive_directory_iterator entries(folder_, fs::directory_options::skip_permission_denied, code);
  for (const fs::recursive_directory_iterator end; !code && entries != end; entries.increment(code)) {
    std::error_code ignored;
    const fs::path& path = entries->path();
    const std::string name = path.filename().string();
    if (entries->is_symlink(ignored)) continue;
    if (entries->is_directory(ignored)) {
      if (name.front() == '.') {
        if (name.find(kGrowing) != name.npos)
          warn("leftover", path.string(), kLeftFolder);
        else
          warn("hidden", path.string(), "a hidden folder is no part of a delivery: not looked into");
        entries.disable_recursion_pending();
      } else {
        folders.push_back(path);
      }
    }
    if (!entries->is_regular_file(ignored)) continue;
    if (name.front() == '.' && name.find(".part-") != std::string::npos) {
      warn("leftover", path.string(), "a file that was being written when its writer stopped; remove it");
    } else if (name.front() == '.') {
      if (++hidden == 1) a_hidden = path.string();
    } else if (path.extension() == ".mp4" || path.extension() == ".mov") {
      movies_.push_back(path.string());
    } else if (name.ends_with(kSheetSuffix)) {
      sheets_.push_back(path.string());
    } else if (path.extension() == ".json") {
      json_.push_back(path.string());
    }
  }
  if (code) error("folder", folder_, "cannot be listed completely: " + code.message());
  if (hidden > 0)
    warn("hidden", a_hidden,
         "hidden files are no part of a delivery: " + std::to_string(hidden) + " not looked at");
  std::sort(folders.begin(), folders.end());
  for (auto* list : {&movies_, &sheets_, &json_}) std::sort(list->begin(), list->end());
  return folders;
}

void Audit::check_layout(const ExrHeader& header, const std::string& file) {
  if (header.parts != 1) error("header", file, "expected one part, found " + std::to_string(header.parts));
  if (header.type != "scanlineimage")
    error("header", file, "expected type scanlineimage, found " + header.type);
  std::string channels;
  for (const auto& channel : header.channels) channels += channel.name + ":" + channel.type + " ";
  if (channels != "B:half G:half R:half ") {
    error("header", file, "expected channels B, G, R as half, found " + channels);
  }
  const bool container = header.aces_container_flag.has_value();
  if (header.compression != "piz" && header.compression != "none") {
    error("header", file, "expected compression piz or none, found " + header.compression);
  }
  if (container != (header.compression == "none")) {
    error("header", file, "expected acesImageContainerFlag exactly on uncompressed files (ST 2065-4)");
  }
}

bool near(const Chromaticity& a, const Chromaticity& b) {
  return std::fabs(a.x - b.x) < 1e-4 && std::fabs(a.y - b.y) < 1e-4;
}

void Audit::check_colour(const ExrHeader& header, const std::string& file) {
  const auto& c = header.chromaticities;
  if (!c) {
    error("colour", file, "expected chromaticities of AP0, found none");
  } else if (!near(c->red, kAp0.red) || !near(c->green, kAp0.green) || !near(c->blue, kAp0.blue) ||
             !near(c->white, kAp0.white)) {
    error("colour", file, "expected chromaticities of AP0, found others");
  }
  if (!header.adopted_neutral || !near(*header.adopted_neutral, kAp0.white)) {
    error("colour", file, "expected adoptedNeutral 0.32168 0.33767");
  }
  const std::string id = header.text("colorInteropID");
  if (id != "lin_ap0_scene")
    error("colour", file, "expected colorInteropID lin_ap0_scene, found \"" + id + "\"");
}

void Audit::check_making(const ExrHeader& header, const std::string& file) {
  for (const char* name :
       {"rushes/shot", "rushes/take", "rushes/seed", "rushes/modelDigest", "rushes/recipeHash"}) {
    if (header.text(name).empty())
      error("provenance", file, std::string("expected attribute ") + name + ", found none");
  }
}

PixelRange Audit::check_frame(const ExrFrame& frame, const std::string& file, int number) {
  check_layout(frame.header, file);
  check_colour(frame.header, file);
  check_making(frame.header, file);
  if (!frame.header.frames_per_second) error("rate", file, "expected framesPerSecond, found none");
  if (frame.header.image_counter != number) {
    error("numbering", file,
          "expected imageCounter " + std::to_string(number) + ", found " +
              (frame.header.image_counter ? std::to_string(*frame.header.image_counter) : "none"));
  }
  const PixelRange range = pixel_range(frame.clip);
  if (range.nan > 0) error("range", file, std::to_string(range.nan) + " values are NaN");
  if (range.overflow > 0) error("range", file, std::to_string(range.overflow) + " values are infinite");
  if (range.min < kMinLight) {
    error("range", file,
          "expected light of at least " + std::to_string(kMinLight) + ", found " + std::to_string(range.min));
  }
  return range;
}

// What must not change, or change by one, from frame to frame.
void Audit::check_step(const ExrHeader& first, const ExrHeader& before, const ExrHeader& now,
                       const std::string& file) {
  if (now.data_window != first.data_window || now.display_window != first.display_window) {
    error("window", file, "expected the data and display window of the first frame");
  }
  if (now.frames_per_second != first.frames_per_second)
    error("rate", file, "expected the rate of the first frame");
  for (const char* name : {"rushes/shot", "rushes/take", "rushes/recipeHash", "rushes/modelDigest"}) {
    if (now.text(name) != first.text(name)) {
      error("provenance", file,
            std::string("expected the ") + name + " of the first frame, found " + now.text(name));
    }
  }
  if (!first.frames_per_second || !config::has_timecode(*first.frames_per_second)) return;
  if (!before.time_code || !now.time_code) return;  // said where it is missing
  const config::Timecode expected = config::advance(*before.time_code, 1, *first.frames_per_second);
  if (*now.time_code != expected) {
    error("timecode", file,
          "expected " + config::to_string(expected) + ", found " + config::to_string(*now.time_code));
  }
}

// A frame that compresses far better than its neighbours is often black or cut off.
void Audit::check_sizes(const SequenceFiles& files, const std::vector<std::uintmax_t>& sizes) {
  std::vector<std::uintmax_t> sorted = sizes;
  std::sort(sorted.begin(), sorted.end());
  const std::uintmax_t median = sorted.empty() ? 0 : sorted[sorted.size() / 2];
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < median / 10) {
      warn("size", files.paths[i],
           std::to_string(sizes[i]) + " bytes, less than a tenth of the sequence's median");
    }
  }
}

void extend(PixelRange& all, const PixelRange& one, bool first) {
  all.min = first ? one.min : std::min(all.min, one.min);
  all.max = first ? one.max : std::max(all.max, one.max);
  all.nan += one.nan;
  all.overflow += one.overflow;
  all.negative += one.negative;
}

void Audit::check_sequence(const SequenceFiles& files) {
  DeliverySequence sequence;
  sequence.folder = relative(files.folder);
  sequence.first = files.numbers.front();
  sequence.last = files.numbers.back();
  sequence.frames = static_cast<int>(files.numbers.size());
  sequence.name = files.prefix;
  const bool named = files.prefix.ends_with(kColourSuffix) && files.prefix.size() > kColourSuffix.size();
  if (named) {
    sequence.name.resize(files.prefix.size() - kColourSuffix.size());
  } else {
    error("name", files.paths.front(), "expected <shot>_<kind>_<version>_lin_ap0_scene.<frame>.exr");
  }
  if (sequence.first != kFirstFrameNumber) {
    warn("numbering", files.paths.front(),
         "sequences start at 1001 unless agreed, found " + std::to_string(sequence.first));
  }
  std::optional<ExrHeader> first, before;
  std::optional<Digest> pixels_before;
  std::vector<std::uintmax_t> sizes;
  for (std::size_t i = 0; i < files.paths.size(); ++i) {
    const std::string& file = files.paths[i];
    std::error_code ignored;
    sizes.push_back(fs::file_size(file, ignored));
    if (i > 0 && files.numbers[i] != files.numbers[i - 1] + 1) {
      error("numbering", file,
            "expected frame " + std::to_string(files.numbers[i - 1] + 1) + " before it, found a gap");
      before.reset();
    }
    auto frame = read_exr(file);
    if (!frame) {
      error("decode", file, frame.error().message);
      before.reset();
      pixels_before.reset();
      continue;
    }
    extend(sequence.range, check_frame(*frame, file, files.numbers[i]), !first);
    const config::Rate rate = frame->header.frames_per_second.value_or(config::Rate{});
    if (config::has_timecode(rate) && !frame->header.time_code)
      error("timecode", file, "expected timeCode, found none");
    const Digest pixels = hash_pixels(frame->clip);
    if (pixels_before == pixels) error("freeze", file, "repeats the pixels of the frame before it");
    if (first) check_step(*first, before.value_or(ExrHeader{}), frame->header, file);
    pixels_before = pixels;
    before = frame->header;
    if (!first) first = frame->header;
  }
  check_sizes(files, sizes);
  if (first) {
    sequence.width = first->width();
    sequence.height = first->height();
    sequence.fps = first->frames_per_second.value_or(config::Rate{});
    sequence.first_timecode = first->time_code;
  }
  report_.sequences.push_back(std::move(sequence));
}

void Audit::check_movie(DeliverySequence& sequence, const std::string& file) {
  sequence.movies.push_back(relative(file));
  auto movie = probe_movie(file);
  if (!movie) return error("movie", file, movie.error().message);
  if (movie->frames != sequence.frames) {
    error("movie", file,
          "expected " + std::to_string(sequence.frames) + " frames like the EXR sequence, found " +
              std::to_string(movie->frames));
  }
  // Containers reduce fractions: compare the products.
  if (std::int64_t{movie->fps.numerator} * sequence.fps.denominator !=
      std::int64_t{sequence.fps.numerator} * movie->fps.denominator) {
    error("movie", file,
          "expected " + config::to_string(sequence.fps) + " frames per second, found " +
              config::to_string(movie->fps));
  }
  const std::string code = sequence.first_timecode ? config::to_string(*sequence.first_timecode) : "";
  if (!code.empty() && movie->timecode != code) {
    error("movie", file, "expected first timecode " + code + ", found \"" + movie->timecode + "\"");
  }
  if (movie->codec == "h264" &&
      (movie->primaries != "bt709" || movie->transfer != "bt709" || movie->matrix != "bt709" ||
       movie->range != "tv" || movie->pixel_format != "yuv420p")) {
    error("movie", file,
          "expected yuv420p in BT.709, limited range, found " + movie->pixel_format + " " + movie->primaries +
              "/" + movie->transfer + "/" + movie->matrix + " " + movie->range);
  }
}

// The sequence of the same folder with the longest name that fits: "sh010_v0011" must not go to "sh010_v001". Where a
// folder has no sequence, those below it are asked.
DeliverySequence* Audit::owner_of(const std::string& file) {
  const std::string stem = fs::path(file).stem().string(),
                    folder = relative(fs::path(file).parent_path().string());
  DeliverySequence* owner = nullptr;
  for (const bool below : {false, true}) {
    for (DeliverySequence& sequence : report_.sequences) {
      const bool near =
          below ? folder == "." || sequence.folder.starts_with(folder + "/") : sequence.folder == folder;
      const bool fits = stem == sequence.name || stem.starts_with(sequence.name + "_") ||
                        stem.starts_with(sequence.name + ".");
      if (near && fits && (owner == nullptr || sequence.name.size() > owner->name.size())) owner = &sequence;
    }
    if (owner != nullptr) break;
  }
  return owner;
}

void Audit::check_movies() {
  for (const std::string& file : movies_) {
    if (DeliverySequence* owner = owner_of(file)) {
      check_movie(*owner, file);
    } else {
      warn("movie", file,
           "belongs to no EXR sequence of its folder (expected a name <shot>_<kind>_<version>...)");
    }
  }
  for (const DeliverySequence& sequence : report_.sequences) {
    if (sequence.movies.empty())
      warn("movie", (fs::path(folder_) / sequence.folder).string(), sequence.name + " has no movie");
  }
}

void Audit::check_sheets() {
  for (const std::string& file : sheets_) {
    if (const auto sheet = read_png(file); !sheet) error("sheet", file, sheet.error().message);
    if (DeliverySequence* owner = owner_of(file)) {
      owner->sheets.push_back(relative(file));
    } else {
      warn("sheet", file, "belongs to no EXR sequence of its folder");
    }
  }
}

// What lies beside a manifest and is not in it.
void Audit::check_unlisted(const std::string& manifest, const std::set<std::string>& listed) {
  std::error_code code;
  std::vector<std::string> others;
  for (fs::directory_iterator entry(fs::path(manifest).parent_path(), code), end; !code && entry != end;
       entry.increment(code)) {
    std::error_code ignored;
    const std::string name = entry->path().filename().string();
    if (entry->is_regular_file(ignored) && name.front() != '.' && entry->path().extension() != ".json" &&
        !listed.contains(name))
      others.push_back(entry->path().string());
  }
  std::sort(others.begin(), others.end());
  for (const std::string& file : others)
    warn("manifest", file, "is not in " + fs::path(manifest).filename().string());
}

void Audit::check_manifest(const std::string& file, const std::string& text) {
  const auto manifest = read_manifest(text);
  if (!manifest) return error("manifest", file, manifest.error().message);
  if (manifest->version < 2)
    warn("manifest", file, "is of an older build and has no seal: changes of itself cannot be found");
  std::set<std::string> listed;
  for (const ManifestFile& entry : manifest->files) {
    listed.insert(entry.name);
    const std::string path = (fs::path(file).parent_path() / entry.name).string();
    const auto seal = seal_of(path);
    if (!seal) {
      error("manifest", path, "is listed in " + fs::path(file).filename().string() + " and cannot be read");
    } else if (seal->bytes != entry.seal.bytes) {
      error("manifest", path,
            "expected " + std::to_string(entry.seal.bytes) + " bytes, found " + std::to_string(seal->bytes));
    } else if (seal->digest != entry.seal.digest) {
      error(
          "manifest", path,
          "expected BLAKE2b-256 " + entry.seal.digest + ", found " + seal->digest + ": the file was changed");
    }
  }
  check_unlisted(file, listed);
}

void Audit::check_manifests() {
  for (const std::string& file : json_) {
    const auto text = read_file(file, kMaxManifestBytes);
    if (!text) {
      error("manifest", file, text.error().message);
      continue;
    }
    DeliverySequence* owner = owner_of(file);
    const bool named_so = owner != nullptr && fs::path(file).stem() == owner->name;
    if (!named_so && !is_manifest(*text)) continue;
    if (named_so) owner->manifest = relative(file);
    check_manifest(file, *text);
  }
  for (const DeliverySequence& sequence : report_.sequences) {
    if (sequence.manifest.empty())
      warn("manifest", sequence.folder, sequence.name + ".json is missing: changes of files cannot be found");
  }
}

DeliveryReport Audit::run() {
  for (const fs::path& path : list_folders()) {
    auto sequences = find_sequences(path.string());
    if (!sequences) {
      error("folder", path.string(), sequences.error().message);
      continue;
    }
    for (const SequenceFiles& files : *sequences) {
      if (files.extension == "exr") check_sequence(files);
    }
  }
  if (report_.sequences.empty()) error("folder", folder_, "expected at least one EXR sequence, found none");
  check_movies();
  check_sheets();
  check_manifests();
  return std::move(report_);
}

}  // namespace

bool DeliveryReport::passed() const {
  return !sequences.empty() &&
         std::none_of(findings.begin(), findings.end(),
                      [](const DeliveryFinding& finding) { return finding.severity == Severity::kError; });
}

Result<DeliveryReport> verify_delivery(const std::string& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return fail(ErrorKind::kNotFound, folder + ": expected the folder of a delivery, found none");
  }
  try {
    // Without a trailing slash, so that paths below it are relative to it.
    std::string clean = fs::path(folder).lexically_normal().string();
    while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
    return Audit(clean).run();
  } catch (const fs::filesystem_error& error) {
    return fail(ErrorKind::kInternal, folder + ": " + error.what());
  }
}

}  // namespace rushes::worker
