#include "config/seconds.h"

#include <cmath>
#include <cstdio>

namespace rushes::config {

std::string seconds_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "-";
  if (seconds > 0 && seconds < 0.05) return "<0.1";  // it would read as nothing
  char text[32];
  std::snprintf(text, sizeof text, seconds < 1e7 ? "%.1f" : "%.3g", seconds);
  return text;
}

}  // namespace rushes::config
