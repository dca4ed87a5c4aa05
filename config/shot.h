// Shot batches: what a TD writes, read into plain validated structs (see config/shots/first-light.yaml).
//
// A batch with any problem is refused whole; the error holds one line per problem, each with
// file:line:column.
//
// Thread contract: pure functions of their arguments and the file named; call from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/critics.h"
#include "config/model.h"
#include "config/rate.h"
#include "config/result.h"
#include "config/sampling.h"

namespace rushes::config {

struct SharedLimit;  // config/farm.h

inline constexpr int kMaxShots = 1000;           // in one batch file
inline constexpr int kMaxTakes = 64;             // of one shot
inline constexpr int kMaxFrames = 20000;         // of one shot
inline constexpr std::size_t kMaxPrompt = 4096;  // bytes of UTF-8
inline constexpr std::int64_t kMaxSeed =
    (std::int64_t{1} << 53) - 1;  // exact in JSON readers that use doubles

enum class Approve { kPerson, kBest };  // who chooses the take that is upgraded and delivered
enum class Retime { kNone, kConform };  // kConform: same frames, played at the shot's rate

std::string_view to_string(Approve approve);  // "person", "best"

// A picture that the shot must show at a frame (0-based from the shot's start).
struct KeyFrame {
  std::filesystem::path image;
  int frame = 0;
  bool operator==(const KeyFrame&) const = default;
};

// What revisions of one take may cost. A window's first rendering is not a revision.
struct Budget {
  int windows = 2;                       // revised windows per take; 0 = never revise
  std::optional<double> device_seconds;  // of all revisions of one take together; absent = no such bound
  bool operator==(const Budget&) const = default;
};

// What happens to the approved take.
struct Upgrade {
  bool enabled = false;
  int scale = 4;          // linear; 2 or 4
  SamplingChange change;  // of the manifest's master sampling
  bool operator==(const Upgrade&) const = default;
};

// Where a key of a shot stands in its file, for messages.
struct Place {
  std::string key;           // the whole path: "shots[2].fps", or "defaults.fps"
  int line = 0, column = 0;  // from 1
  bool operator==(const Place&) const = default;
};

struct Shot {
  std::string show, name;                      // [A-Za-z0-9][A-Za-z0-9_-]{0,63}: they become file names
  std::string prompt;                          // 1..kMaxPrompt bytes of UTF-8, no control characters
  std::optional<std::string> negative_prompt;  // absent = the manifest's
  std::string model;                           // name of a folder in model_roots
  std::optional<int> frames;                   // exactly one of frames and seconds; see shot_frames()
  std::optional<double> seconds;
  std::optional<Rate> fps;  // absent = the model's
  Retime retime = Retime::kNone;
  std::vector<std::uint64_t> seeds;      // one per take; take k is seeds[k]
  SamplingChange sampling;               // of the manifest's draft sampling
  int priority = 50;                     // 0..100, higher first
  std::optional<std::int64_t> deadline;  // milliseconds since 1970 when it must be delivered
  std::vector<std::string> limits;       // shared limits of farm.yaml that its tasks claim
  bool gate = false;                     // wait for the critics' verdict before the next segment
  Approve approve = Approve::kPerson;
  Upgrade upgrade;
  Budget budget;
  std::vector<KeyFrame> key_frames;     // ascending frames
  CriticChanges critics;                // of the farm's rules
  int start_frame = 1001;               // number of the first file of the EXR sequence
  std::optional<std::string> timecode;  // of the first frame, checked against the rate; see shot_timecode()
  std::string reel;                     // at most 32 characters, empty = none
  std::string file;                     // where it was written, for messages: "shots.yaml"
  std::map<std::string, Place> places;  // of its keys by their first name: "fps"; "": of the shot itself
  int takes() const { return static_cast<int>(seeds.size()); }
  bool operator==(const Shot&) const = default;
};

struct Batch {
  std::string show;
  std::vector<Shot> shots;
};

// Reads a batch. Image paths are resolved against the file's folder. Error: kInvalid,
// kNotFound.
Result<Batch> read_batch(const std::filesystem::path& file);
// The same from text that came over a socket; `name` stands for the file in messages, `folder` resolves
// paths.
Result<Batch> parse_batch(std::string_view text, const std::string& name,
                          const std::filesystem::path& folder);

// Every key that the reader of batches asks for: "show", "shots[0].budget.windows".
std::set<std::string> batch_keys();

// Frames that the shot delivers, its delivered rate and first timecode (default 01:00:00:00) with this model.
int shot_frames(const Shot& shot, const ModelManifest& model);
Rate shot_rate(const Shot& shot, const ModelManifest& model);
Timecode shot_timecode(const Shot& shot, const ModelManifest& model);
// The samplings in force: the manifest's with the shot's changes.
Sampling draft_sampling(const Shot& shot, const ModelManifest& model);
Sampling master_sampling(const Shot& shot, const ModelManifest& model);

struct ShotProblem {
  std::string key;      // of the shot: "fps"
  std::string message;  // with what works instead
  bool operator==(const ShotProblem&) const = default;
};
// All that keeps this model from making this shot; empty = it can.
std::vector<ShotProblem> validate_shot(const Shot& shot, const ModelManifest& model);
// Limits that the shot claims and the farm does not have.
std::vector<ShotProblem> unknown_limits(const Shot& shot, const std::vector<SharedLimit>& known);
// "shots.yaml:12:8: shots[2].fps: " + message: at the key, or at the shot where the key is not written.
std::string problem_at(const Shot& shot, std::string_view key, const std::string& message);

}  // namespace rushes::config
