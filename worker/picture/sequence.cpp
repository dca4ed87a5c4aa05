#include "worker/picture/sequence.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "worker/picture/png_image.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

struct FrameName {
  std::string prefix;
  std::string extension;
  int number = -1;
};

// Splits "sh010.1001.exr". Nothing for a file that is no frame: a contact sheet lies beside the frames it shows.
std::optional<FrameName> split_name(const std::string& name) {
  if (name.empty() || name.front() == '.' || name.ends_with("_contact.png")) return std::nullopt;
  const std::size_t dot = name.rfind('.');
  if (dot == std::string::npos) return std::nullopt;
  FrameName out;
  out.extension = name.substr(dot + 1);
  if (out.extension != "exr" && out.extension != "png") return std::nullopt;
  std::size_t first = dot;
  while (first > 0 && name[first - 1] >= '0' && name[first - 1] <= '9') --first;
  out.prefix = name.substr(0, first);
  if (first < dot && dot - first <= 9) out.number = std::stoi(name.substr(first, dot - first));
  return out;
}

Result<Clip> load_frame(const std::string& path, const std::string& extension, ExrHeader* header) {
  if (extension == "png") {
    auto image = read_png(path);
    if (!image) return tl::unexpected<Error>(image.error());
    return clip_from_display(*image);
  }
  auto frame = read_exr(path);
  if (!frame) return tl::unexpected<Error>(frame.error());
  if (header != nullptr) *header = std::move(frame->header);
  return std::move(frame->clip);
}

Result<SequenceFiles> choose_sequence(const std::string& path) {
  std::error_code code;
  const bool is_folder = fs::is_directory(path, code);
  const fs::path folder = is_folder ? fs::path(path) : fs::path(path).parent_path();
  auto found = find_sequences(folder.empty() ? "." : folder.string());
  if (!found) return tl::unexpected<Error>(found.error());
  if (!is_folder) {
    for (SequenceFiles& sequence : *found) {
      for (const std::string& file : sequence.paths) {
        if (fs::path(file).filename() == fs::path(path).filename()) return std::move(sequence);
      }
    }
    if (fs::exists(path, code))
      return fail(ErrorKind::kInvalid, path +
                                           ": expected a frame of an EXR or PNG sequence, which ends in .exr "
                                           "or .png; movies are not read");
    return fail(ErrorKind::kNotFound, path + ": expected an EXR or PNG frame, found none of that name");
  }
  if (found->size() == 1) return std::move(found->front());
  std::string names;
  for (const SequenceFiles& sequence : *found) {
    names += (names.empty() ? "" : ", ") + sequence.prefix + "*." + sequence.extension;
  }
  return fail(found->empty() ? ErrorKind::kNotFound : ErrorKind::kInvalid,
              path + ": expected one sequence of EXR or PNG frames, found " +
                  (names.empty() ? "none" : names + "; name one of its frames"));
}

}  // namespace

Result<std::vector<SequenceFiles>> find_sequences(const std::string& folder) {
  std::map<std::pair<std::string, std::string>, std::vector<std::pair<int, std::string>>> groups;
  std::error_code code;
  fs::directory_iterator entries(folder, code);
  if (code) return fail(ErrorKind::kNotFound, folder + ": cannot list the folder: " + code.message());
  for (const fs::directory_iterator end; entries != end; entries.increment(code)) {
    std::error_code ignored;
    if (!entries->is_regular_file(ignored)) continue;
    if (const auto name = split_name(entries->path().filename().string())) {
      groups[{name->prefix, name->extension}].emplace_back(name->number, entries->path().string());
    }
    if (code) break;
  }
  if (code) return fail(ErrorKind::kInternal, folder + ": cannot list the folder: " + code.message());
  std::vector<SequenceFiles> out;
  for (auto& [key, files] : groups) {
    std::sort(files.begin(), files.end());
    SequenceFiles sequence{folder, key.first, key.second, {}, {}};
    for (auto& [number, file] : files) {
      sequence.numbers.push_back(number);
      sequence.paths.push_back(std::move(file));
    }
    out.push_back(std::move(sequence));
  }
  return out;
}

Result<LoadedSequence> load_sequence(const std::string& path, config::Rate fps) {
  auto chosen = choose_sequence(path);
  if (!chosen) return tl::unexpected<Error>(chosen.error());
  LoadedSequence out;
  out.files = std::move(*chosen);
  out.display_light = out.files.extension == "png";
  const std::vector<int>& numbers = out.files.numbers;
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    if (numbers[i] != numbers[i - 1] + 1) {
      return fail(ErrorKind::kInvalid, out.files.paths[i] + ": expected frame " +
                                           std::to_string(numbers[i - 1] + 1) + ", found " +
                                           std::to_string(numbers[i]) + "; the sequence has a gap");
    }
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    auto frame = load_frame(out.files.paths[i], out.files.extension, i == 0 ? &out.header : nullptr);
    if (!frame) return tl::unexpected<Error>(frame.error());
    if (i == 0) {
      const config::Rate rate = out.header.frames_per_second.value_or(fps);
      auto clip = make_clip(frame->width, frame->height, static_cast<int>(numbers.size()), rate);
      if (!clip) return with_context(clip.error(), path);
      out.clip = std::move(*clip);
    }
    if (frame->width != out.clip.width || frame->height != out.clip.height) {
      return fail(ErrorKind::kInvalid, out.files.paths[i] + ": expected " + std::to_string(out.clip.width) +
                                           "x" + std::to_string(out.clip.height) +
                                           " like the first frame, found " + std::to_string(frame->width) +
                                           "x" + std::to_string(frame->height));
    }
    std::copy(frame->pixels.begin(), frame->pixels.end(), out.clip.frame(static_cast<int>(i)));
  }
  return out;
}

}  // namespace rushes::worker
