// The audit of a delivery: does what lies in a folder conform, before a receiver finds out that it does not?
//
// Every EXR file is read and decoded in full. Checked per frame: name, scanline, channels B G R half, PIZ (or
// none together with acesImageContainerFlag, ST 2065-4), AP0 chromaticities, adoptedNeutral, colorInteropID,
// frame rate, timecode, image counter, how it was made (seed, model digest, recipe hash), NaN, infinity and
// range. Over the sequence: contiguous numbers, one data window, one rate, timecodes one frame apart, one
// recipe, no frame that repeats the one before it, no file much smaller than its neighbours. Movies and contact sheets
// belong to the sequence of their own folder after which they are named (NAME*.mp4, .mov, NAME_contact.png): movies must
// decode to the same number of frames at the same rate and first timecode, with BT.709 tags; sheets must decode.
// Over every folder with a manifest (manifest.h): each file that it lists has the listed length and BLAKE2b-256, and the
// manifest fits its own seal, so that any changed bit is found; files that it does not list are named.
//
// What is hidden (its name begins with a dot) is no part of a delivery: systems leave such files, and writers what they
// did not finish. It is named in a warning and not looked into. A hidden folder that is asked for itself is audited.
//
// Thread contract: functions of their arguments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/rate.h"
#include "config/result.h"
#include "worker/picture/frames.h"

namespace rushes::worker {

enum class Severity { kWarning, kError };

struct DeliveryFinding {
  Severity severity = Severity::kError;
  std::string check;    // "header", "colour", "numbering", "timecode", "range", "freeze", "movie", ...
  std::string file;     // relative to the folder
  std::string message;  // what was expected, what was found
};

struct DeliverySequence {
  std::string name;    // SHOT_KIND_VERSION
  std::string folder;  // relative to the delivery
  int first = 0;       // frame numbers
  int last = 0;
  int frames = 0;
  int width = 0;
  int height = 0;
  config::Rate fps;
  std::optional<config::Timecode> first_timecode;
  PixelRange range;                 // over all frames
  std::vector<std::string> movies;  // relative to the delivery, like the next two
  std::vector<std::string> sheets;
  std::string manifest;  // empty: there is none
};

struct DeliveryReport {
  std::string folder;
  std::vector<DeliverySequence> sequences;
  std::vector<DeliveryFinding> findings;
  bool passed() const;  // at least one sequence and no finding of severity error
};

// Light below this is no colour that a camera or a display could mean.
inline constexpr float kMinLight = -0.1F;

// Looks at the folder and all folders below it (links are not followed). kNotFound when it is no folder;
// everything that is wrong inside is a finding, not an error.
Result<DeliveryReport> verify_delivery(const std::string& folder);

std::string report_text(const DeliveryReport& report);  // for people, several lines
std::string report_json(
    const DeliveryReport& report);  // {"folder", "passed", "sequences": [...], "findings": [...]}

}  // namespace rushes::worker
