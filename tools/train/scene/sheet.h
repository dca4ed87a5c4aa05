// Contact sheets: clips as rows of small pictures in one PNG (libpng), for people to look at.
//
// Thread contract: a Sheet belongs to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/result.h"
#include "tools/train/scene/render.h"

namespace rushes::scene {

// Pictures of one size side by side, `columns` in a row.
class Sheet {
 public:
  Sheet(int columns, int picture_width, int picture_height)
      : columns_(columns), width_(picture_width), height_(picture_height) {}

  // Appends frame `frame` of the clip, tone mapped for a screen: exposed for its hour so that night is
  // readable.
  void add(const Clip& clip, int frame);

  // Writes an 8-bit sRGB PNG.
  Status write(const std::string& path) const;

 private:
  int columns_, width_, height_;
  std::vector<std::vector<std::uint8_t>> pictures_;
};

}  // namespace rushes::scene
