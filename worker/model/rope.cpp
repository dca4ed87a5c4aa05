#include "worker/model/rope.h"

#include <cmath>

namespace rushes::worker {
namespace {

// (cos, sin) of every pair of one axis at one position.
void turn(std::int64_t position, std::int64_t pairs, float* out) {
  for (std::int64_t j = 0; j < pairs; ++j) {
    const double frequency = std::pow(10000.0, -static_cast<double>(2 * j) / static_cast<double>(2 * pairs));
    const double angle = static_cast<double>(position) * frequency;
    out[2 * j] = static_cast<float>(std::cos(angle));
    out[2 * j + 1] = static_cast<float>(std::sin(angle));
  }
}

std::vector<float> axis(std::int64_t origin, std::int64_t length, std::int64_t pairs) {
  std::vector<float> table(static_cast<std::size_t>(length * pairs * 2));
  for (std::int64_t i = 0; i < length; ++i) turn(origin + i, pairs, table.data() + i * pairs * 2);
  return table;
}

}  // namespace

std::vector<float> rope_table(const TokenGrid& grid, const TokenOrigin& origin, std::int64_t head_dim) {
  const std::int64_t space = head_dim / 6, time = head_dim / 2 - 2 * space;
  const std::vector<float> frames = axis(origin.frame, grid.frames, time);
  const std::vector<float> rows = axis(origin.row, grid.rows, space);
  const std::vector<float> columns = axis(origin.column, grid.columns, space);
  std::vector<float> table;
  table.reserve(static_cast<std::size_t>(grid.tokens() * head_dim));
  const auto append = [&](const std::vector<float>& from, std::int64_t index, std::int64_t pairs) {
    const auto begin = from.begin() + index * pairs * 2;
    table.insert(table.end(), begin, begin + pairs * 2);
  };
  for (std::int64_t f = 0; f < grid.frames; ++f)
    for (std::int64_t h = 0; h < grid.rows; ++h)
      for (std::int64_t w = 0; w < grid.columns; ++w) {
        append(frames, f, time);
        append(rows, h, space);
        append(columns, w, space);
      }
  return table;
}

std::vector<float> time_sinusoid(double timestep, std::int64_t width) {
  const std::int64_t half = width / 2;
  std::vector<float> out(static_cast<std::size_t>(2 * half));
  for (std::int64_t i = 0; i < half; ++i) {
    const double angle = timestep * std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(half));
    out[static_cast<std::size_t>(i)] = static_cast<float>(std::cos(angle));
    out[static_cast<std::size_t>(half + i)] = static_cast<float>(std::sin(angle));
  }
  return out;
}

}  // namespace rushes::worker
