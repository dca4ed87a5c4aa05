// The outline of the largest connected patch of a mask, and what its form says.
//
// Thread contract: pure functions.
#pragma once

#include <utility>
#include <vector>

namespace rushes::scene {

struct Silhouette {
  int area = 0;                          // pixels
  int x0 = 0, y0 = 0, x1 = -1, y1 = -1;  // bounding box, inclusive
  double width = 0;                      // the 90th percentile of the rows' widths
  double top = 0, bottom = 0;            // width near the top (15 %) and bottom (85 %) over `width`
  double aspect = 0;                     // height over width
  bool touches_border = false;
  std::vector<std::pair<int, int>> core;  // (x, y) of pixels well inside
  std::vector<std::pair<int, int>> rows;  // first and last column per row, from y0

  std::pair<int, int> row(int y) const { return rows[static_cast<std::size_t>(y - y0)]; }
};

// `mask` is width * height, non-zero where something stands out. Area 0 where nothing does.
Silhouette find_silhouette(const std::vector<char>& mask, int width, int height);

}  // namespace rushes::scene
