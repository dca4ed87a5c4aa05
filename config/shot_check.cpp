// What a shot means together with its model: length, rate, samplings, and whether the model can make it at
// all.
#include <algorithm>
#include <cmath>

#include "config/farm.h"
#include "config/picture.h"
#include "config/shot.h"

namespace rushes::config {
namespace {

constexpr int kMaxDeliveredSide = 8192;  // of a master: the widest H.264 level 6 picture

std::string rate_problem(const Shot& shot, const ModelManifest& model) {
  const std::string native = to_string(model.fps), wanted = to_string(*shot.fps);
  return "model " + model.name + " makes " + native + " frames per second, not " + wanted +
         "; write 'fps: " + native + "', or 'retime: conform' to play its frames at " + wanted;
}

void check_key_frames(const Shot& shot, const ModelManifest& model, std::vector<ShotProblem>& problems) {
  if (shot.key_frames.empty()) return;
  if (model.conditioning == Conditioning::kNone) {
    problems.push_back({"key_frames", "model " + model.name +
                                          " takes no pictures (conditioning: none); leave key_frames out"});
    return;
  }
  for (std::size_t i = 0; i < shot.key_frames.size(); ++i)
    if (const int frame = shot.key_frames[i].frame; frame != 0)
      problems.push_back({key_frame_key(i, "frame"),
                          "model " + model.name +
                              " can start from a picture but not pass through one: expected frame 0, found " +
                              std::to_string(frame)});
}

}  // namespace

Rate shot_rate(const Shot& shot, const ModelManifest& model) { return shot.fps.value_or(model.fps); }

int shot_frames(const Shot& shot, const ModelManifest& model) {
  if (shot.frames) return *shot.frames;
  const double frames = std::round(shot.seconds.value_or(0) * shot_rate(shot, model).value());
  return static_cast<int>(std::min(frames, kMaxFrames + 1.0));
}

Timecode shot_timecode(const Shot& shot, const ModelManifest& model) {
  if (!shot.timecode) return {};
  return parse_timecode(*shot.timecode, shot_rate(shot, model)).value_or(Timecode{});
}

Sampling draft_sampling(const Shot& shot, const ModelManifest& model) {
  return apply(model.draft, shot.sampling);
}

Sampling master_sampling(const Shot& shot, const ModelManifest& model) {
  return apply(model.master, shot.upgrade.change);
}

std::vector<ShotProblem> validate_shot(const Shot& shot, const ModelManifest& model) {
  std::vector<ShotProblem> problems;
  if (shot.fps && *shot.fps != model.fps && shot.retime != Retime::kConform)
    problems.push_back({"fps", rate_problem(shot, model)});
  const int frames = shot_frames(shot, model);
  if (frames < 1 || frames > kMaxFrames)
    problems.push_back({shot.frames ? "frames" : "seconds",
                        "expected a length of 1 to " + std::to_string(kMaxFrames) + " frames, found " +
                            (frames < 1 ? "less than one frame" : "more") + " at " +
                            to_string(shot_rate(shot, model)) + " frames per second"});
  check_key_frames(shot, model, problems);
  if (shot.timecode)
    if (const auto code = parse_timecode(*shot.timecode, shot_rate(shot, model)); !code)
      problems.push_back({"timecode", code.error().message});
  if (shot.upgrade.enabled) {
    const int width = model.deliver.width * shot.upgrade.scale,
              height = model.deliver.height * shot.upgrade.scale;
    if (width > kMaxDeliveredSide || height > kMaxDeliveredSide)
      problems.push_back({"upgrade", "scale " + std::to_string(shot.upgrade.scale) + " makes " +
                                         std::to_string(width) + "x" + std::to_string(height) +
                                         " pixels, expected at most " + std::to_string(kMaxDeliveredSide) +
                                         " a side" + (shot.upgrade.scale == 4 ? "; scale 2 may fit" : "")});
  }
  return problems;
}

std::vector<ShotProblem> unknown_limits(const Shot& shot, const std::vector<SharedLimit>& known) {
  std::vector<ShotProblem> problems;
  for (const std::string& name : shot.limits)
    if (std::none_of(known.begin(), known.end(),
                     [&](const SharedLimit& limit) { return limit.name == name; }))
      problems.push_back(
          {"limits", "the farm has no limit '" + name + "'; limits.shared of farm.yaml lists them"});
  return problems;
}

std::string problem_at(const Shot& shot, std::string_view key, const std::string& message) {
  const auto written = shot.places.find(std::string(key)), whole = shot.places.find("");
  const bool at_key = written != shot.places.end();
  if (!at_key && whole == shot.places.end())  // not read from a file
    return "shot " + shot.show + "/" + shot.name + (key.empty() ? "" : ": " + std::string(key)) + ": " +
           message;
  const Place& place = at_key ? written->second : whole->second;
  const std::string path = at_key || key.empty() ? place.key : place.key + "." + std::string(key);
  return shot.file + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": " + path +
         ": " + message;
}

}  // namespace rushes::config
