#include "tests/simulation/farm/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>

#include "worker/picture/canvas.h"

namespace rushes::simulation::farm {
namespace {

using worker::Image8;
using worker::Rgb8;

// Colours that stay apart for most eyes (Okabe and Ito), lightest last.
constexpr std::array<Rgb8, 7> kColours{Rgb8{0, 114, 178},   Rgb8{230, 159, 0},  Rgb8{0, 158, 115},
                                       Rgb8{204, 121, 167}, Rgb8{86, 180, 233}, Rgb8{213, 94, 0},
                                       Rgb8{240, 228, 66}};
constexpr Rgb8 kPaper{255, 255, 255}, kInk{40, 40, 40}, kGrid{225, 225, 225}, kIdle{244, 244, 244};
constexpr int kLeft = 84, kRight = 24, kTop = 64, kAreaHeight = 380, kGap = 40, kLane = 18, kBottom = 56;
constexpr double kHourMs = 3'600'000;

Rgb8 colour_of(std::size_t show) { return kColours[show % kColours.size()]; }

struct Layout {
  int width = 0, per_window = 1, windows = 0;
  double window_ms = 1, top_slots = 1;
  int right() const { return kLeft + windows * per_window; }
  int x(int window) const { return kLeft + window * per_window; }
  int x_at(double hour) const {
    return kLeft + static_cast<int>(std::lround(hour * kHourMs / window_ms * per_window));
  }
  int y(double slots) const {
    return kTop + kAreaHeight - static_cast<int>(std::lround(slots / top_slots * kAreaHeight));
  }
};

// 1, 2 or 5 times a power of ten, so that four to ten lines fit.
double nice_step(double most) {
  const double power = std::pow(10, std::floor(std::log10(std::max(most, 1.0) / 4)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (most / (power * factor) <= 8) return power * factor;
  return power * 10;
}

void draw_axes(Image8& canvas, const Layout& layout, int lanes_bottom) {
  const double step = std::max(1.0, nice_step(layout.top_slots));
  for (double slots = 0; slots <= layout.top_slots; slots += step) {
    const int y = layout.y(slots);
    worker::fill_rectangle(canvas, kLeft, y, layout.right() - kLeft, 1, kGrid);
    const std::string label = std::to_string(static_cast<long>(slots));
    worker::draw_text(canvas, kLeft - 10 - worker::text_width(label), y - worker::text_height() / 2, label,
                      kInk);
  }
  const double hours = layout.windows * layout.window_ms / kHourMs;
  const double each = hours > 72 ? 24 : std::max(0.25, nice_step(hours));  // between marks
  for (double hour = 0; layout.x_at(hour) <= layout.right(); hour += each) {
    worker::fill_rectangle(canvas, layout.x_at(hour), kTop, 1, lanes_bottom - kTop, kGrid);
    char label[32];
    std::snprintf(label, sizeof label, each == 24 ? "day %.0f" : "%g h", each == 24 ? hour / 24 + 1 : hour);
    if (layout.x_at(hour) + 4 + worker::text_width(label) < layout.width)
      worker::draw_text(canvas, layout.x_at(hour) + 4, lanes_bottom + 8, label, kInk);
  }
}

void draw_area(Image8& canvas, const Layout& layout, const std::vector<Window>& windows) {
  for (int i = 0; i < layout.windows; ++i) {
    const Window& window = windows[static_cast<std::size_t>(i)];
    const int offered = layout.y(window.offered / window.passed_ms);
    worker::fill_rectangle(canvas, layout.x(i), offered, layout.per_window, layout.y(0) - offered, kIdle);
    double stacked = 0;
    for (std::size_t show = 0; show < window.used.size(); ++show) {
      const int bottom = layout.y(stacked);
      stacked += window.used[show] / window.passed_ms;
      worker::fill_rectangle(canvas, layout.x(i), layout.y(stacked), layout.per_window,
                             bottom - layout.y(stacked), colour_of(show));
    }
    worker::fill_rectangle(canvas, layout.x(i), offered - 1, layout.per_window, 2, kInk);
  }
}

void draw_legend(Image8& canvas, const Layout& layout, const FarmRun& run) {
  worker::draw_text(canvas, kLeft, 10,
                    run.description().name + ": busy slots by show, of the slots offered (line)", kInk);
  int x = kLeft;
  for (std::size_t show = 0; show < run.meter().shows().size(); ++show) {
    const std::string& name = run.meter().shows()[show].name;
    const int width = 20 + worker::text_width(name) + 24;
    if (x + width > layout.width - kRight) break;
    worker::fill_rectangle(canvas, x, 38, 14, 14, colour_of(show));
    worker::draw_text(canvas, x + 20, 38, name, kInk);
    x += width;
  }
}

// One lane a show: darker where work waited for longer of the window.
void draw_lanes(Image8& canvas, const Layout& layout, const Meter& meter, int top) {
  worker::draw_text(canvas, kLeft, top - worker::text_height() - 6, "work waiting", kInk);
  for (std::size_t show = 0; show < meter.shows().size(); ++show) {
    const int y = top + static_cast<int>(show) * kLane;
    const Rgb8 colour = colour_of(show);
    for (int i = 0; i < layout.windows; ++i) {
      const double part = meter.windows()[static_cast<std::size_t>(i)].waiting_ms[show] / layout.window_ms;
      const auto mix = [part](std::uint8_t from, std::uint8_t to) {
        return static_cast<std::uint8_t>(std::lround(from + (to - from) * part));
      };
      worker::fill_rectangle(canvas, layout.x(i), y, layout.per_window, kLane - 4,
                             {mix(kIdle.r, colour.r), mix(kIdle.g, colour.g), mix(kIdle.b, colour.b)});
    }
  }
}

}  // namespace

Status draw_plot(const FarmRun& run, const std::filesystem::path& file) {
  const Meter& meter = run.meter();
  const std::vector<Window>& windows = meter.windows();
  if (windows.empty()) return fail(ErrorKind::kInvalid, "plot " + file.string() + ": the run took no time");
  Layout layout;
  layout.windows = static_cast<int>(std::min<std::size_t>(windows.size(), 4'000));
  layout.window_ms = static_cast<double>(meter.window_ms());
  layout.per_window = std::clamp(1200 / layout.windows, 1, 300);
  layout.width = std::max(layout.right() + kRight, 1000);
  for (const Window& window : windows)
    layout.top_slots = std::max(layout.top_slots, window.offered / window.passed_ms * 1.05);
  const int lanes_top = kTop + kAreaHeight + kGap;
  const int lanes_bottom = lanes_top + static_cast<int>(meter.shows().size()) * kLane;
  Image8 canvas(layout.width, lanes_bottom + kBottom);
  worker::fill_rectangle(canvas, 0, 0, canvas.width, canvas.height, kPaper);
  draw_axes(canvas, layout, lanes_bottom);
  draw_area(canvas, layout, windows);
  draw_lanes(canvas, layout, meter, lanes_top);
  draw_legend(canvas, layout, run);
  return worker::write_png(file.string(), canvas);
}

}  // namespace rushes::simulation::farm
