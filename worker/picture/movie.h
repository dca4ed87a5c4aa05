// SDR movies: H.264, yuv420p, BT.709, limited range, through the studio's SDR view; what an editor or a
// browser plays. They are coded as they are tagged, for the BT.1886 monitor that BT.709 asks for (yuv.h has the
// formula), and show there the light that the view shows on its sRGB display.
//
// One movie frame per clip frame, at exactly the clip's rate, with a timecode track that starts where the EXR
// frames start. Sizes are made even by repeating the last column or row (4:2:0 needs that). The bytes depend
// on the arguments and the encoder's version only.
//
// Thread contract: a MovieWriter belongs to one thread; different movies may be written at the same time.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "config/rate.h"
#include "config/result.h"
#include "worker/picture/colour.h"
#include "worker/picture/frames.h"

namespace rushes::worker {

struct MovieOptions {
  int crf = 16;  // x264's constant rate factor: 0 lossless, 16 visually transparent, 51 worst
  std::string preset = "medium";
  std::optional<config::Timecode> first_timecode;
};

// Frame after frame, so that a master need not lie in memory as a whole. Nothing appears under the final name
// before finish() returned without error.
class MovieWriter {
 public:
  // `path` ends in .mp4 or .mov; its folder must exist. Width and height are the picture's.
  static Result<MovieWriter> create(const std::string& path, int width, int height, config::Rate fps,
                                    const MovieOptions& options = {});
  MovieWriter(MovieWriter&&) noexcept;
  ~MovieWriter();

  // sRGB display code values [height, width, 3], nominally 0..1, of the size given to create.
  Status add(const std::vector<float>& display);
  Status finish();

 private:
  struct Impl;
  explicit MovieWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A whole clip through a view.
Status write_movie(const std::string& path, ClipView clip, const DisplayView& view,
                   const MovieOptions& options = {});

// What a movie file says about itself, and how many frames really decode. kNotFound, kCorrupt, kInvalid (no
// video).
struct MovieInfo {
  int width = 0;
  int height = 0;
  config::Rate fps;
  int frames = 0;            // decoded
  std::string codec;         // "h264"
  std::string pixel_format;  // "yuv420p"
  std::string primaries;     // "bt709"
  std::string transfer;
  std::string matrix;
  std::string range;     // "tv"
  std::string timecode;  // of the timecode track; empty when there is none
};
Result<MovieInfo> probe_movie(const std::string& path);

}  // namespace rushes::worker
