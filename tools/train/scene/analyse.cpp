#include "tools/train/scene/analyse.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "tools/train/scene/silhouette.h"

namespace rushes::scene {
namespace {

constexpr double kFullWidth = 160.0;    // pixel measures below are for this width
constexpr double kFocalPixels = 216.0;  // 1.35 * 160, as the renderer has it
// Stops that brightness goes up and down along a row: matte ground truth has at most 0.1, metal at least 1.7;
// a VAE adds grain to the one and takes contrast from the other.
constexpr double kWindows = 1.1;
constexpr double kMoments[] = {0.0, 0.25, 0.5, 0.75, 1.0};

std::vector<float> small_codes(const Clip& clip, int frame, int width, int height) {
  std::vector<float> codes(3 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  std::size_t at = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int y0 = y * clip.height / height, y1 = std::max(y0 + 1, (y + 1) * clip.height / height);
      const int x0 = x * clip.width / width, x1 = std::max(x0 + 1, (x + 1) * clip.width / width);
      float sum[3] = {0, 0, 0};
      for (int j = y0; j < y1; ++j) {
        for (int i = x0; i < x1; ++i) {
          for (int c = 0; c < 3; ++c) sum[c] += acescct_encode(clip.pixel(frame, j, i)[c]);
        }
      }
      for (int c = 0; c < 3; ++c) codes[at++] = sum[c] / static_cast<float>((y1 - y0) * (x1 - x0));
    }
  }
  return codes;
}

// Mean absolute difference of codes, cut off where an object hides the background.
double mismatch(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::min(0.08f, std::fabs(a[i] - b[i]));
  return sum / static_cast<double>(a.size());
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const std::size_t at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

int frame_at(const Clip& clip, double progress) {
  return static_cast<int>(std::lround(progress * (clip.frames - 1)));
}

double log2_safe(float v) { return std::log2(std::max(v, 1e-5f)); }

// Whether a floor or wall pixel is the background with less light of the key, the sky, or both.
bool is_shadow(const float* seen, const float* empty, const std::array<double, 3>& key,
               const std::array<double, 3>& sky) {
  for (const double k : {0.0, 0.2, 0.45, 0.7, 1.0}) {
    for (const double s : {0.3, 0.5, 0.75, 1.0}) {
      double worst = 0;
      for (std::size_t c = 0; c < 3; ++c) {
        const double part = (key[c] * k + sky[c] * s) / (key[c] + sky[c]);
        worst = std::max(worst, std::fabs(log2_safe(seen[c]) - log2_safe(empty[c]) - std::log2(part)));
      }
      if (worst < 0.42) return true;  // stops
    }
  }
  return false;
}

// Whether a pixel is something else than the background, lit or in shadow.
bool stands_out(const float* seen, const float* empty, const Lamps& lamps) {
  double differs = 0;
  for (int c = 0; c < 3; ++c)
    differs = std::max(differs, std::fabs(log2_safe(seen[c]) - log2_safe(empty[c])));
  return differs > 0.55 && !is_shadow(seen, empty, lamps.key, lamps.sky);
}

// The light of an emissive object in the middle of the clip, 0 without one. It is a patch well above what lit
// surfaces reach; a highlight on metal is as bright, but small against the object it lies on.
double emissive_peak(const Clip& clip, const Clip& empty, const Lamps& lamps, Light light) {
  constexpr double kAboveLit = 2.3;
  std::vector<char> mask(static_cast<std::size_t>(clip.width) * static_cast<std::size_t>(clip.height));
  std::vector<double> bright;
  for (int y = 0; y < clip.height; ++y) {
    for (int x = 0; x < clip.width; ++x) {
      const float* p = clip.pixel(frame_at(clip, 0.5), y, x);
      const double most = std::max({p[0], p[1], p[2]});
      if (most > kAboveLit) bright.push_back(most);
      mask[static_cast<std::size_t>(y) * static_cast<std::size_t>(clip.width) + static_cast<std::size_t>(x)] =
          stands_out(p, empty.pixel(0, y, x), lamps);
    }
  }
  const double count = static_cast<double>(bright.size());
  if (count < 0.008 * clip.width * clip.height) return 0;
  // At night no highlight is that bright, and the object's glow stands out far around it.
  const Silhouette outline = find_silhouette(mask, clip.width, clip.height);
  if (light != Light::kNight && count < 0.22 * outline.area) return 0;
  return percentile(bright, 0.5);
}

struct Measured {
  Silhouette outline;
  double angle = 0, height = 0,
         size = 0;  // radians right and up, log of width: with the camera's move taken out
  int frame = 0;
};

// Slope of v over the clip (progress 0..1) by least squares.
double change(const std::vector<Measured>& at, const Clip& clip, double Measured::*value) {
  double n = 0, st = 0, sv = 0, stt = 0, stv = 0;
  for (const Measured& m : at) {
    const double t = static_cast<double>(m.frame) / (clip.frames - 1), v = m.*value;
    n += 1, st += t, sv += v, stt += t * t, stv += t * v;
  }
  const double spread = n * stt - st * st;
  return spread > 0 ? (n * stv - st * sv) / spread : 0;
}

Motion judge_motion(const std::vector<Measured>& measured, const Clip& clip) {
  const double side = change(measured, clip, &Measured::angle);
  const double rise = change(measured, clip, &Measured::height);
  const double growth = change(measured, clip, &Measured::size);
  // How far each measure goes relative to what the renderer's moves give at least.
  const double sideways = std::fabs(side) / 0.23, depth = std::fabs(growth) / 0.30, up = rise / 0.065;
  if (depth > 0.5 && depth > 0.8 * sideways) return growth > 0 ? Motion::kToward : Motion::kAway;
  if (sideways > 0.45 && sideways > up) return side > 0 ? Motion::kRight : Motion::kLeft;
  if (up > 0.5) return Motion::kUp;
  return Motion::kStill;
}

Shape judge_shape(const std::vector<Measured>& measured) {
  std::vector<double> top, bottom, aspect;
  for (const bool whole : {true, false}) {
    for (const Measured& m : measured) {
      if (m.outline.touches_border == whole) continue;
      top.push_back(m.outline.top), bottom.push_back(m.outline.bottom), aspect.push_back(m.outline.aspect);
    }
    if (!top.empty()) break;
  }
  const double t = percentile(top, 0.5), b = percentile(bottom, 0.5), a = std::log2(percentile(aspect, 0.5));
  struct Prototype {
    Shape shape;
    double top, bottom, aspect;
  };
  static constexpr Prototype kPrototypes[] = {{Shape::kSphere, 0.72, 0.72, 0.0},
                                              {Shape::kCube, 0.97, 0.93, -0.28},
                                              {Shape::kCone, 0.17, 0.90, 0.05},
                                              {Shape::kCylinder, 0.97, 0.97, 1.02}};
  Shape best = Shape::kSphere;
  double least = std::numeric_limits<double>::infinity();
  for (const Prototype& p : kPrototypes) {
    const double d = std::pow((t - p.top) / 0.12, 2) + std::pow((b - p.bottom) / 0.12, 2) +
                     std::pow((a - p.aspect) / 0.35, 2);
    if (d < least) least = d, best = p.shape;
  }
  return best;
}

Colour judge_colour(const Clip& clip, const std::vector<Measured>& measured,
                    const std::array<double, 3>& white) {
  std::vector<double> lights;
  for (const Measured& m : measured) {
    for (const auto& [x, y] : m.outline.core) {
      const float* p = clip.pixel(m.frame, y, x);
      lights.push_back(log2_safe(std::max({p[0], p[1], p[2]})));
    }
  }
  const double bright = percentile(lights, 0.5);
  double red = 0, blue = 0, count = 0;
  for (const Measured& m : measured) {
    for (const auto& [x, y] : m.outline.core) {
      const float* p = clip.pixel(m.frame, y, x);
      if (log2_safe(std::max({p[0], p[1], p[2]})) < bright) continue;
      red += log2_safe(p[0]) - log2_safe(p[1]), blue += log2_safe(p[2]) - log2_safe(p[1]), count += 1;
    }
  }
  if (count == 0) return Colour::kWhite;
  red = red / count - (std::log2(white[0]) - std::log2(white[1]));
  blue = blue / count - (std::log2(white[2]) - std::log2(white[1]));
  Colour best = Colour::kWhite;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < kColourNames.size(); ++i) {
    const auto r = reflectance(static_cast<Colour>(i));
    const double dr = red - std::log2(r[0] / r[1]), db = blue - std::log2(r[2] / r[1]);
    if (const double d = dr * dr + db * db; d < least) least = d, best = static_cast<Colour>(i);
  }
  return best;
}

// Brightness that goes up and down again along a row, beyond its one rise and fall, in stops: mirrored
// windows. Rows are averaged over 3x3 pixels first, so that grain is no window.
double stripes(const Clip& clip, const std::vector<Measured>& measured) {
  std::vector<double> excess;
  const auto level = [&](int frame, int x, int y) {
    double sum = 0;
    for (int j = -1; j <= 1; ++j) {
      for (int i = -1; i <= 1; ++i) {
        const float* p = clip.pixel(frame, y + j, x + i);
        sum += std::log2(std::max(1e-4f, p[0] + p[1] + p[2]));
      }
    }
    return sum / 9;
  };
  for (const Measured& m : measured) {
    const Silhouette& s = m.outline;
    for (int y = s.y0 + (s.y1 - s.y0) / 4; y <= s.y1 - (s.y1 - s.y0) / 4; ++y) {
      const auto [left, right] = s.row(y);
      if (right - left < 10 || y < 1 || y + 1 >= clip.height) continue;
      double travel = 0, low = 0, high = 0, before = 0;
      for (int x = left + 3; x <= right - 3; ++x) {
        const double now = level(m.frame, x, y);
        if (x == left + 3) {
          low = high = now;
        } else {
          travel += std::fabs(now - before);
          low = std::min(low, now), high = std::max(high, now);
        }
        before = now;
      }
      excess.push_back(travel - (high - low));
    }
  }
  return percentile(excess, 0.5);
}

}  // namespace

Analyser::Analyser() {
  const View view = View::whole(kWidth, kHeight);
  for (std::size_t scene = 0; scene < 6; ++scene) {
    const Light light = static_cast<Light>(scene / 2);
    const Place place = static_cast<Place>(scene % 2);
    const auto make = [&](const Pose& pose) {
      return Reference{pose, small_codes(render_empty(light, place, pose, view), 0, kWidth, kHeight)};
    };
    for (int i = -24; i <= 24; ++i) pans_[scene].push_back(make({i * 0.005, 1.0}));
    for (int i = -24; i <= 24; ++i) zooms_[scene].push_back(make({0.0, std::pow(1.012, i)}));
  }
}

// Tries every length of every move, seen at five moments; a move must explain clearly more than standing
// still.
CameraMove Analyser::find_camera(const Clip& clip, std::size_t scene, std::vector<Pose>* poses) const {
  std::vector<std::vector<double>> pan_error, zoom_error;
  for (const double progress : kMoments) {
    const std::vector<float> seen = small_codes(clip, frame_at(clip, progress), kWidth, kHeight);
    std::vector<double> pan, zoom;
    for (const Reference& r : pans_[scene]) pan.push_back(mismatch(seen, r.code));
    for (const Reference& r : zooms_[scene]) zoom.push_back(mismatch(seen, r.code));
    pan_error.push_back(pan), zoom_error.push_back(zoom);
  }
  double best = std::numeric_limits<double>::infinity();
  int best_length = 0;
  bool best_zooms = false;
  for (const bool zooms : {false, true}) {
    for (int length = -48; length <= 48; length += 2) {
      double error = 0;
      for (std::size_t m = 0; m < 5; ++m) {
        const int at = 24 + static_cast<int>(std::lround((kMoments[m] - 0.5) * length));
        error += (zooms ? zoom_error : pan_error)[m][static_cast<std::size_t>(at)];
      }
      if (error < best) best = error, best_length = length, best_zooms = zooms;
    }
  }
  // The shortest pan of the renderer is 0.13 radians (26 steps), the shortest zoom 2 * 0.85 * ln 1.2 (26
  // steps).
  if (std::abs(best_length) < 11) best_length = 0;
  poses->clear();
  for (const double progress : kMoments) {
    const double along = (progress - 0.5) * best_length;
    poses->push_back(best_zooms ? Pose{0.0, std::pow(1.012, along)} : Pose{0.005 * along, 1.0});
  }
  if (best_length == 0) return CameraMove::kStatic;
  if (best_zooms) return best_length > 0 ? CameraMove::kZoomIn : CameraMove::kZoomOut;
  return best_length > 0 ? CameraMove::kPanRight : CameraMove::kPanLeft;
}

Seen Analyser::analyse(const Clip& clip) const {
  Seen seen;
  // Every camera move passes the plain view in the middle: there the six empty scenes compare directly.
  const std::vector<float> middle = small_codes(clip, frame_at(clip, 0.5), kWidth, kHeight);
  std::size_t scene = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < 6; ++i) {
    const double error = mismatch(middle, pans_[i][24].code);
    if (error < least) least = error, scene = i;
  }
  seen.light = static_cast<Light>(scene / 2);
  seen.place = static_cast<Place>(scene % 2);
  std::vector<Pose> poses;
  seen.camera = find_camera(clip, scene, &poses);

  const Lamps lamps = lamps_of(seen.light);
  const View view = View::whole(clip.width, clip.height);
  const double peak =
      emissive_peak(clip, render_empty(seen.light, seen.place, poses[2], view), lamps, seen.light);
  const bool emissive = peak > 0;
  const auto white = white_level(seen.light);
  std::vector<Measured> measured;
  for (std::size_t m = 0; m < 5; ++m) {
    const int frame = frame_at(clip, kMoments[m]);
    const Clip empty = render_empty(seen.light, seen.place, poses[m], view);
    std::vector<char> mask(static_cast<std::size_t>(clip.width) * static_cast<std::size_t>(clip.height));
    for (int y = 0; y < clip.height; ++y) {
      for (int x = 0; x < clip.width; ++x) {
        const float *p = clip.pixel(frame, y, x), *e = empty.pixel(0, y, x);
        const bool object = emissive ? std::max({p[0], p[1], p[2]}) > 0.35 * peak : stands_out(p, e, lamps);
        mask[static_cast<std::size_t>(y) * static_cast<std::size_t>(clip.width) +
             static_cast<std::size_t>(x)] = object;
      }
    }
    Silhouette outline = find_silhouette(mask, clip.width, clip.height);
    if (outline.area < clip.width * clip.height / 120) continue;
    const double scale = kFullWidth / clip.width, focal = kFocalPixels * poses[m].zoom;
    Measured at;
    at.frame = frame;
    at.angle = (0.5 * (outline.x0 + outline.x1 + 1) - 0.5 * clip.width) * scale / focal + poses[m].yaw;
    at.height = -(0.5 * (outline.y0 + outline.y1 + 1) - 0.5 * clip.height) * scale / focal;
    at.size = std::log(outline.width * scale / focal);
    at.outline = std::move(outline);
    measured.push_back(std::move(at));
  }
  if (measured.empty()) return seen;
  seen.object_found = true;
  seen.motion = judge_motion(measured, clip);
  seen.shape = judge_shape(measured);
  seen.colour = judge_colour(clip, measured, emissive ? std::array<double, 3>{1, 1, 1} : white);
  if (emissive) {
    seen.material = Material::kEmissive;
    std::vector<double> core;
    for (const Measured& m : measured) {
      for (const auto& [x, y] : m.outline.core) {
        const float* p = clip.pixel(m.frame, y, x);
        core.push_back(std::max({p[0], p[1], p[2]}));
      }
    }
    const double level = percentile(core, 0.9);
    seen.emission = level < 5.3 ? 4.0 : level < 10.6 ? 8.0 : 16.0;
  } else {
    seen.material = stripes(clip, measured) > kWindows ? Material::kMetal : Material::kMatte;
  }
  return seen;
}

}  // namespace rushes::scene
