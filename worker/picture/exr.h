// EXR frames: the form in which pixels leave the farm, and come back into it.
//
// Written: OpenEXR scanline, channels B G R as half, PIZ (lossless), ACES2065-1. The header says so three
// ways that agree (chromaticities of AP0, adoptedNeutral, colorInteropID "lin_ap0_scene") and never sets
// acesImageContainerFlag, which ST 2065-4 reserves for uncompressed files. Frame rate, timecode, image
// counter and reel place the frame in an edit; attributes named "rushes/..." say how it was made. The bytes
// depend on nothing but the arguments.
//
// Read: any flat RGB EXR of at most kMaxPicturePixels; what it says about its colours is converted to
// ACES2065-1. A foreign file is hostile: sizes are bounded before memory is taken, and every exception of the
// library is an Error.
//
// Thread contract: functions of their arguments; different files may be written and read at the same time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/rate.h"
#include "config/result.h"
#include "worker/picture/colour.h"
#include "worker/picture/frames.h"

namespace rushes::worker {

inline constexpr int kFirstFrameNumber = 1001;  // where sequences start in visual effects
inline constexpr std::size_t kMaxPictureFileBytes = std::size_t{2} << 30;

// What the header says about a whole sequence. Empty strings and absent values are left out of the file.
struct DeliveryTags {
  std::string shot;     // [A-Za-z0-9._-]; with the next two the file name, and the reel when no reel is given
  std::string kind;     // [A-Za-z0-9._-]: "draft" or "master"
  std::string version;  // [A-Za-z0-9._-], for example "v001"
  std::string reel_name;
  std::string owner;
  std::string comments;
  std::string capture_date;         // "YYYY:MM:DD hh:mm:ss" in UTC; leave empty for reproducible bytes
  config::Timecode first_timecode;  // of the first frame; left out where config::has_timecode() is false

  int take = 0;
  std::uint64_t seed = 0;  // written as decimal text: EXR has no 64-bit integer
  std::string model_digest;
  std::string recipe_hash;
  std::string numeric_class;
  std::string engine_build;
  std::string prompt_hash;
  std::string parent_take;  // the draft that a master was made from
  int render_width = 0;     // the size at which the model painted, before any enlargement
  int render_height = 0;
  std::optional<double> critique_score;
  std::string critique_verdict;
};

// Frames that share one address of a timeCode: 1 up to 30 frames a second, 2 up to 60, 4 up to 120. An address counts
// to 39 at most and ST 12-1 counts faster rates in pairs, the second frame of which has its field mark set
// (fieldPhase). Of four frames the later two also have 1 in binary group 1, and "rushes/timecode" has the frame's
// timecode in full at every rate above 30.
int frames_per_address(config::Rate fps);

// Where one frame of a sequence was made.
struct WindowFrame {
  int window = 0;
  int frame_in_window = 0;
};

// "<shot>_<kind>_<version>": what the names of all files of a delivery begin with.
std::string delivery_name(const DeliveryTags& tags);
std::string reel_name(const DeliveryTags& tags);
// "<name>_lin_ap0_scene.<frame>.exr", at least four digits.
std::string exr_file_name(const std::string& name, int frame_number);

// One frame as the bytes of an EXR file. `index` counts from 0 in the sequence; the frame number is first +
// index. kInvalid for a name with other characters than [A-Za-z0-9._-] or a pixel that is NaN or too large
// for half (limit_to_half is the way to bound pixels, and to count what it changed).
Result<std::string> encode_exr(ClipView frame, const DeliveryTags& tags, WindowFrame made, int index,
                               int first_number = kFirstFrameNumber);

// A whole clip into an existing folder, each file atomically. `made` has one entry per frame or is empty (one
// window). Returns the paths in order.
Result<std::vector<std::string>> write_exr_sequence(const std::string& folder, ClipView clip,
                                                    const DeliveryTags& tags,
                                                    std::span<const WindowFrame> made = {},
                                                    int first_number = kFirstFrameNumber);

// What a header says, as far as a delivery cares.
struct ExrHeader {
  struct Box {
    int min_x = 0, min_y = 0, max_x = 0, max_y = 0;  // inclusive
    bool operator==(const Box&) const = default;
  };
  struct Channel {
    std::string name;
    std::string type;  // "half", "float", "uint"
  };
  Box data_window;
  Box display_window;
  std::vector<Channel> channels;  // in the file's (alphabetic) order
  std::string compression;        // "none", "piz", "zip", "dwab", ...
  std::string type;               // "scanlineimage", "tiledimage"
  int parts = 1;
  std::optional<Primaries> chromaticities;
  std::optional<Chromaticity> adopted_neutral;
  std::optional<config::Rate> frames_per_second;
  std::optional<config::Timecode> time_code;
  std::optional<int> image_counter;
  std::optional<int> aces_container_flag;
  std::map<std::string, std::string> texts;  // string, int and float attributes as text, by name

  int width() const { return data_window.max_x - data_window.min_x + 1; }
  int height() const { return data_window.max_y - data_window.min_y + 1; }
  std::string text(const std::string& name) const;  // empty when absent
};

Result<ExrHeader> read_exr_header(const std::string& path);

struct ExrFrame {
  ExrHeader header;
  Clip clip;  // one frame of the data window, in ACES2065-1
};
// kCorrupt for a broken file, kInvalid for one that holds no flat R, G, B picture within the limits.
// Colours: colorInteropID first (lin_ap0_scene, lin_ap1_scene, lin_rec709_scene), then chromaticities, and
// without either BT.709 as the OpenEXR specification says. Another colorInteropID is refused: it is not
// scene-linear light.
Result<ExrFrame> read_exr(const std::string& path);
Result<ExrFrame> decode_exr(std::string_view bytes, const std::string& name);  // name: for messages

// The same picture row by row, so that a large one needs no memory for all of its light. Rows are fastest in order:
// they are packed in blocks (config/exr_source.h, exr_reading_bytes).
class ExrRows {
 public:
  static Result<ExrRows> open(std::string_view bytes, const std::string& name);  // `bytes` outlive it
  ExrRows(ExrRows&& other) noexcept;
  ExrRows& operator=(ExrRows&&) = delete;
  ~ExrRows();
  int width() const;
  int height() const;
  // Pixels [first, first + count) of row y, in ACES2065-1; they lie inside (asserted). Errors: as of decode_exr().
  Status read(int y, int first, int count, float* light);

 private:
  struct File;
  explicit ExrRows(std::unique_ptr<File> file);
  std::unique_ptr<File> file_;
};

}  // namespace rushes::worker
