// Contact sheets: the takes of a shot on one page, for a supervisor's eye.
//
// One row per take, evenly spaced frames (the first and the last among them) from left to right through the SDR view,
// each with its frame number; above the row its name, what is known of it, and coloured tags; below it the frames that
// the critics found something in, pixel for pixel.
//
// Thread contract: functions of their arguments.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/result.h"
#include "worker/picture/colour.h"
#include "worker/picture/frames.h"
#include "worker/picture/png_image.h"

namespace rushes::worker {

// A picture in a row.
struct ContactFrame {
  int number = 0;  // shown under it
  Image8 image;    // as thumbnail() makes it; of a finding, at native size
};

struct ContactFinding {
  std::string text;  // "flicker: flickers in frames 1012-1018: ..."; cut with "…" when too long
  std::vector<ContactFrame> frames;  // 1 or 2
};

struct ContactRow {
  std::string title;                     // "take 2 version 1"
  std::string detail;                    // "seed 1002 | score 0.91 | 1 finding"; cut with "…" when too long
  std::string scores;                    // a line of its own: "flicker 0.97, freeze 1.00"; empty: no line
  std::vector<std::string> tags;         // "pass", "revise", "reject", "best", "approved", or anything else
  std::vector<ContactFrame> frames;      // 1 to 16, from left to right, all of one size
  std::vector<ContactFinding> findings;  // at most kContactFindings
};

struct ContactSheet {
  std::string title;     // "sh010"
  std::string subtitle;  // the prompt, one or two lines; a line more counts what the font lacks of it
  std::string facts;     // "33 frames 1001-1033, 24 fps, 1.38 s, 512x288"
  std::vector<ContactRow> rows;
  std::vector<std::string> notes = {};  // lines under the facts; each is cut with "…" when too long
};

inline constexpr int kContactColumns = 6;    // frames of a take that a sheet shows
inline constexpr int kContactFindings = 3;   // of a take
inline constexpr int kThumbnailWidth = 320;  // pixels

// The page is as wide as its longest row. Error: kInvalid for no rows, too many, or a row that breaks the
// rules above.
Result<Image8> draw_contact_sheet(const ContactSheet& sheet);

// Which frames of a clip of `frames` frames a row of `columns` shows: evenly spaced, ends included.
std::vector<int> contact_frames(int frames, int columns);

// Frame t at the given width (height follows), through the view: enlarged bicubically in code values (small
// clips) or reduced by area in light (large ones).
Result<Image8> thumbnail(ClipView clip, int t, const DisplayView& view, int width);

}  // namespace rushes::worker
