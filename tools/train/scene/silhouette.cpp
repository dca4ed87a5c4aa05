#include "tools/train/scene/silhouette.h"

#include <algorithm>
#include <cstddef>

namespace rushes::scene {
namespace {

std::size_t index(int x, int y, int width) {
  return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
}

// Opens the mask by one pixel: thin lines (a shifted edge of the background) vanish.
std::vector<char> opened(const std::vector<char>& mask, int width, int height) {
  std::vector<char> eroded(mask.size()), result(mask.size());
  const auto all = [&](int x, int y) {
    for (int j = std::max(0, y - 1); j <= std::min(height - 1, y + 1); ++j) {
      for (int i = std::max(0, x - 1); i <= std::min(width - 1, x + 1); ++i) {
        if (mask[index(i, j, width)] == 0) return false;
      }
    }
    return true;
  };
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) eroded[index(x, y, width)] = all(x, y);
  }
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      if (eroded[index(x, y, width)] == 0) continue;
      for (int j = std::max(0, y - 1); j <= std::min(height - 1, y + 1); ++j) {
        for (int i = std::max(0, x - 1); i <= std::min(width - 1, x + 1); ++i) result[index(i, j, width)] = 1;
      }
    }
  }
  return result;
}

std::vector<std::pair<int, int>> largest_patch(const std::vector<char>& mask, int width, int height) {
  std::vector<char> visited(mask.size());
  std::vector<std::pair<int, int>> best, patch;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      if (mask[index(x, y, width)] == 0 || visited[index(x, y, width)] != 0) continue;
      patch.assign(1, {x, y});
      visited[index(x, y, width)] = 1;
      for (std::size_t at = 0; at < patch.size(); ++at) {
        const auto [px, py] = patch[at];
        for (const auto& [dx, dy] : {std::pair{1, 0}, {-1, 0}, {0, 1}, {0, -1}}) {
          const int nx = px + dx, ny = py + dy;
          if (nx < 0 || ny < 0 || nx >= width || ny >= height) continue;
          if (mask[index(nx, ny, width)] == 0 || visited[index(nx, ny, width)] != 0) continue;
          visited[index(nx, ny, width)] = 1;
          patch.emplace_back(nx, ny);
        }
      }
      if (patch.size() > best.size()) best.swap(patch);
    }
  }
  return best;
}

}  // namespace

Silhouette find_silhouette(const std::vector<char>& mask, int width, int height) {
  Silhouette s;
  const auto patch = largest_patch(opened(mask, width, height), width, height);
  if (patch.empty()) return s;
  s.area = static_cast<int>(patch.size());
  s.x0 = width, s.y0 = height;
  for (const auto& [x, y] : patch) {
    s.x0 = std::min(s.x0, x), s.x1 = std::max(s.x1, x), s.y0 = std::min(s.y0, y), s.y1 = std::max(s.y1, y);
  }
  s.touches_border = s.x0 == 0 || s.y0 == 0 || s.x1 == width - 1 || s.y1 == height - 1;
  s.rows.assign(static_cast<std::size_t>(s.y1 - s.y0 + 1), {width, -1});
  for (const auto& [x, y] : patch) {
    auto& row = s.rows[static_cast<std::size_t>(y - s.y0)];
    row = {std::min(row.first, x), std::max(row.second, x)};
  }
  std::vector<int> widths;
  for (const auto& row : s.rows) widths.push_back(row.second - row.first + 1);
  std::vector<int> sorted = widths;
  std::sort(sorted.begin(), sorted.end());
  s.width = sorted[sorted.size() * 9 / 10];
  s.top = widths[widths.size() * 15 / 100] / s.width;
  s.bottom = widths[std::min(widths.size() - 1, widths.size() * 85 / 100)] / s.width;
  s.aspect = static_cast<double>(widths.size()) / s.width;
  for (const auto& [x, y] : patch) {
    const auto row = s.row(y);
    const bool inside = y >= s.y0 + 3 && y <= s.y1 - 3 && x >= row.first + 3 && x <= row.second - 3;
    if (inside) s.core.emplace_back(x, y);
  }
  return s;
}

}  // namespace rushes::scene
