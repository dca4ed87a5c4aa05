#include "tools/train/scene/render.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rushes::scene {
namespace {

struct Vec {
  float x = 0, y = 0, z = 0;
};
Vec operator+(Vec a, Vec b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
Vec operator-(Vec a, Vec b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
Vec operator*(Vec a, Vec b) { return {a.x * b.x, a.y * b.y, a.z * b.z}; }
Vec operator*(Vec a, float s) { return {a.x * s, a.y * s, a.z * s}; }
float dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
Vec normalise(Vec a) { return a * (1.0f / std::sqrt(dot(a, a))); }
Vec mix(Vec a, Vec b, float t) { return a + (b - a) * t; }
float clamp01(float v) { return v < 0 ? 0.0f : (v > 1 ? 1.0f : v); }
float smooth(float low, float high, float v) {
  const float t = clamp01((v - low) / (high - low));
  return t * t * (3 - 2 * t);
}
Vec to_vec(const std::array<double, 3>& a) {
  return {static_cast<float>(a[0]), static_cast<float>(a[1]), static_cast<float>(a[2])};
}

// The lights of one time of day. A matte surface of reflectance a sends out a * (key * cos + ambient).
struct Rig {
  Vec towards_key;
  Vec key, ambient, sky_low, sky_high;
};

Rig rig_of(Light light) {
  switch (light) {
    case Light::kDay:
      return {normalise({-0.5f, 0.75f, -0.6f}),
              {1.0f, 0.97f, 0.92f},
              {0.25f, 0.28f, 0.33f},
              {0.75f, 0.85f, 1.0f},
              {0.30f, 0.50f, 0.95f}};
    case Light::kDusk:
      return {normalise({-0.8f, 0.4f, -0.45f}),
              {0.42f, 0.24f, 0.11f},
              {0.08f, 0.06f, 0.075f},
              {0.60f, 0.25f, 0.07f},
              {0.12f, 0.08f, 0.16f}};
    case Light::kNight:
      break;
  }
  return {normalise({0.4f, 0.8f, -0.45f}),
          {0.066f, 0.086f, 0.120f},
          {0.014f, 0.019f, 0.030f},
          {0.018f, 0.026f, 0.046f},
          {0.005f, 0.008f, 0.017f}};
}

constexpr float kCameraHeight = 1.5f;
constexpr float kCameraDistance = 6.2f;  // the camera stands at z = -6.2, the object near z = 0
constexpr float kPitch = 0.128f;         // looking down, radians
constexpr float kFocal = 1.35f;          // focal length over picture width at zoom 1
constexpr float kWall = 3.0f;            // z of the wall behind the table
constexpr float kFar = 40.0f;            // z of the backdrop behind open ground

constexpr double kPanAngle = 0.15;  // radians over the clip
constexpr double kZoomRange = 1.2;  // from 1/1.2 to 1.2
constexpr double kSideWay = 1.7;    // world units over the clip
constexpr double kNear = -1.0, kAwayZ = 1.4;

// One placed object at one moment. `base` is the middle of its foot.
struct Body {
  Shape shape = Shape::kSphere;
  Material material = Material::kMatte;
  Vec reflect;
  float emission = 0;
  Vec base;
  float scale = 1;
  float turn_cos = 1, turn_sin = 0;
  Texture texture = Texture::kPlain;
  float cells = 4, depth = 1;  // of the texture

  Vec turned(Vec v) const { return {turn_cos * v.x - turn_sin * v.z, v.y, turn_sin * v.x + turn_cos * v.z}; }
  Vec turned_back(Vec v) const {
    return {turn_cos * v.x + turn_sin * v.z, v.y, -turn_sin * v.x + turn_cos * v.z};
  }
};

float height_of(Shape shape) {
  switch (shape) {
    case Shape::kSphere:
      return 1.2f;
    case Shape::kCube:
      return 1.0f;
    case Shape::kCone:
      return 1.4f;
    case Shape::kCylinder:
      break;
  }
  return 1.5f;
}
float radius_of(Shape shape) {
  switch (shape) {
    case Shape::kSphere:
      return 0.6f;
    case Shape::kCube:
      return 0.5f;  // half an edge
    case Shape::kCone:
      return 0.68f;
    case Shape::kCylinder:
      break;
  }
  return 0.36f;
}

// Whether the texture is dark at a point in the body's own units. The pattern fills space, so that every face cuts
// it; the offset keeps the borders of cells off the faces of a cube.
bool dark_at(const Body& body, Vec p) {
  const Vec q = p * body.cells + Vec{0.37f, 0.37f, 0.37f};
  const auto odd = [](float v) { return (static_cast<int>(std::floor(v)) & 1) != 0; };
  switch (body.texture) {
    case Texture::kPlain:
      return false;
    case Texture::kStripes:
      return odd(q.y + 0.6f * q.x);
    case Texture::kChecks:
      return odd(q.x) != (odd(q.y) != odd(q.z));
    case Texture::kSpots: {
      const Vec to{q.x * 0.5f - std::round(q.x * 0.5f), q.y * 0.5f - std::round(q.y * 0.5f),
                   q.z * 0.5f - std::round(q.z * 0.5f)};
      return dot(to, to) < 0.36f * 0.36f;
    }
  }
  return false;
}

struct Hit {
  float t = std::numeric_limits<float>::infinity();
  int surface = 0;  // 0 backdrop, 1 floor, 10 + 4 * body + face
  Vec normal;       // geometric
  Vec bulge;        // a rounder normal that metal reflects with
};

// Intersects a ray (origin relative to the body's foot, unit size, direction not normalised) with a shape.
void intersect_unit(Shape shape, Vec o, Vec d, Hit* hit, int id) {
  const float r = radius_of(shape), h = height_of(shape);
  const auto take = [&](float t, int face, Vec normal, Vec bulge) {
    if (t > 1e-4f && t < hit->t) *hit = {t, id + face, normal, normalise(bulge)};
  };
  switch (shape) {
    case Shape::kSphere: {
      const Vec c{0, r, 0};
      const Vec oc = o - c;
      const float a = dot(d, d), b = dot(oc, d), q = dot(oc, oc) - r * r, disc = b * b - a * q;
      if (disc < 0) return;
      const float t = (-b - std::sqrt(disc)) / a;
      const Vec n = (oc + d * t) * (1 / r);
      take(t, 0, n, n);
      return;
    }
    case Shape::kCube: {
      const float low[3] = {-r, 0, -r}, high[3] = {r, 2 * r, r};
      const float po[3] = {o.x, o.y, o.z}, pd[3] = {d.x, d.y, d.z};
      float near = -1e30f, far = 1e30f;
      int axis = 0;
      for (int i = 0; i < 3; ++i) {
        const float inverse = 1.0f / (pd[i] == 0 ? 1e-12f : pd[i]);
        float t0 = (low[i] - po[i]) * inverse, t1 = (high[i] - po[i]) * inverse;
        if (t0 > t1) std::swap(t0, t1);
        if (t0 > near) near = t0, axis = i;
        far = std::min(far, t1);
      }
      if (near > far) return;
      const Vec p = o + d * near;
      Vec n{0, 0, 0};
      (axis == 0 ? n.x : axis == 1 ? n.y : n.z) = pd[axis] > 0 ? -1.0f : 1.0f;
      Vec around{p.x / r, (p.y - r) / r, p.z / r};
      (axis == 0 ? around.x : axis == 1 ? around.y : around.z) = 0;
      take(near, axis, n, n + around * 0.45f);
      return;
    }
    case Shape::kCone: {
      // Apex at height h; x^2 + z^2 = k^2 (h - y)^2.
      const float k = r / h, oy = h - o.y, k2 = k * k;
      const float a = d.x * d.x + d.z * d.z - k2 * d.y * d.y;
      const float b = o.x * d.x + o.z * d.z + k2 * oy * d.y;
      const float q = o.x * o.x + o.z * o.z - k2 * oy * oy;
      const float disc = b * b - a * q;
      if (disc >= 0) {
        const float t = (-b - std::sqrt(disc)) / a;
        const Vec p = o + d * t;
        if (p.y >= 0 && p.y <= h) {
          const Vec n = normalise({p.x, k2 * (h - p.y), p.z});
          take(t, 0, n, n + Vec{0, 0.5f * (p.y / h - 0.4f), 0});
        }
      }
      const float t = -o.y / d.y;  // the foot, seen when it floats
      const Vec p = o + d * t;
      if (p.x * p.x + p.z * p.z <= r * r) take(t, 1, {0, -1, 0}, {0, -1, 0});
      return;
    }
    case Shape::kCylinder: {
      const float a = d.x * d.x + d.z * d.z, b = o.x * d.x + o.z * d.z, q = o.x * o.x + o.z * o.z - r * r;
      const float disc = b * b - a * q;
      if (disc < 0) return;
      const float t = (-b - std::sqrt(disc)) / a;
      const Vec p = o + d * t;
      if (p.y >= 0 && p.y <= h) {
        const Vec n{p.x / r, 0, p.z / r};
        take(t, 0, n, n + Vec{0, 0.7f * (p.y / h - 0.5f), 0});
      }
      for (const float y : {0.0f, h}) {
        const float s = (y - o.y) / d.y;
        const Vec c = o + d * s;
        if (c.x * c.x + c.z * c.z <= r * r) {
          const Vec n{0, y == 0 ? -1.0f : 1.0f, 0};
          take(s, 1, n, n + Vec{0.4f * c.x / r, 0, 0.4f * c.z / r});
        }
      }
      return;
    }
  }
}

// What a mirror sees: a bright upper half, a dark lower half, windows, a lamp to the left and the key's
// highlight.
Vec environment(const Rig& rig, Vec white, Vec r) {
  const float up = smooth(-0.08f, 0.08f, r.y);
  float level = 0.28f + up * (0.50f + 0.5f * clamp01(r.y));
  level *= 1.0f + 0.55f * std::sin(8.0f * r.x + 0.6f);  // windows: upright stripes on anything round
  static const Vec lamp = normalise({-0.45f, 0.55f, -0.70f});
  level += 4.0f * smooth(0.90f, 0.97f, dot(r, lamp));
  const float key = std::max(0.0f, dot(r, rig.towards_key));
  const float key2 = key * key, key8 = key2 * key2 * key2 * key2;
  return white * (level + 2.0f * key8 * key8 * key8);
}

// Floor of the table (planks) or of open ground (large tiles).
Vec floor_reflectance(Place place, float x, float z) {
  if (place == Place::kTable) {
    const float plank = std::sin(x * 3.9f) > 0 ? 1.0f : -1.0f;
    const float edge = clamp01(std::fabs(std::sin(x * 3.9f)) * 3.0f);
    return Vec{0.26f, 0.17f, 0.10f} * (1.0f + 0.16f * plank * edge);
  }
  const float fade = 1.0f / (1.0f + 0.004f * z * z);
  const float u = std::sin(x * 2.4f), v = std::sin(z * 1.7f);
  const float tile = std::clamp(6.0f * u * v, -1.0f, 1.0f);
  return Vec{0.22f, 0.21f, 0.17f} * (1.0f + 0.22f * tile * fade);
}

// Everything behind: a panelled wall, or hills and masts under the sky.
Vec backdrop(Place place, const Rig& rig, Vec p, Vec d) {
  if (place == Place::kTable) {
    static constexpr float kPosts[] = {-5.2f, -4.3f, -3.1f, -1.75f, -0.35f, 0.75f, 2.55f, 3.6f, 5.0f};
    float tone = 1.0f;
    for (const float post : kPosts) tone -= 0.55f * (1 - smooth(0.14f, 0.20f, std::fabs(p.x - post)));
    tone -= 0.30f * (1 - smooth(0.05f, 0.09f, std::fabs(p.y - 1.55f)));
    const Vec paint{0.36f, 0.35f, 0.34f};
    const float facing = std::max(0.0f, -rig.towards_key.z);
    return paint * (rig.key * facing + rig.ambient) * std::max(tone, 0.3f);
  }
  const float a = d.x / d.z, slope = (p.y - kCameraHeight) / (kFar + kCameraDistance);
  const float hill = 0.030f + 0.022f * std::sin(13.0f * a + 0.8f) + 0.014f * std::sin(29.0f * a + 2.0f);
  const Vec sky = mix(rig.sky_low, rig.sky_high, smooth(0.0f, 0.13f, slope));
  const Vec land = (rig.key * 0.5f + rig.ambient) * Vec{0.10f, 0.12f, 0.13f};
  Vec colour = mix(land, sky, smooth(hill - 0.003f, hill + 0.003f, slope));
  static constexpr float kMasts[] = {-0.43f, -0.31f, -0.12f, 0.06f, 0.27f, 0.40f};
  for (const float mast : kMasts) {
    const float inside =
        (1 - smooth(0.008f, 0.013f, std::fabs(a - mast))) * (1 - smooth(0.066f, 0.072f, slope));
    colour = mix(colour, land * 0.35f, inside);
  }
  return colour;
}

class Painter {
 public:
  Painter(Light light, Place place, const Pose& pose, const View& view, std::vector<Body> bodies)
      : place_(place),
        rig_(rig_of(light)),
        white_(to_vec(white_level(light))),
        view_(view),
        bodies_(std::move(bodies)) {
    const float sin_yaw = static_cast<float>(std::sin(pose.yaw)),
                cos_yaw = static_cast<float>(std::cos(pose.yaw));
    const float sin_pitch = std::sin(kPitch), cos_pitch = std::cos(kPitch);
    const float focal = kFocal * static_cast<float>(pose.zoom) * static_cast<float>(view.width);
    forward_ = {sin_yaw * cos_pitch, -sin_pitch, cos_yaw * cos_pitch};
    right_ = Vec{cos_yaw, 0, -sin_yaw} * (1 / focal);
    down_ = Vec{-sin_yaw * sin_pitch, -cos_pitch, -cos_yaw * sin_pitch} * (1 / focal);
    for (const Body& body : bodies_) {
      const float h = height_of(body.shape), r = radius_of(body.shape) * 1.4143f;
      const Vec middle = body.base + Vec{0, 0.5f * h * body.scale, 0};
      bounds_.push_back({middle, (0.25f * h * h + r * r) * body.scale * body.scale});
    }
  }

  void paint(float* out) const {
    const int w = view_.crop_width, h = view_.crop_height;
    std::vector<int> surface(static_cast<std::size_t>(w) * static_cast<std::size_t>(h));
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        const std::size_t at =
            static_cast<std::size_t>(y) * static_cast<std::size_t>(w) + static_cast<std::size_t>(x);
        store(out + 3 * at, cast(static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f, &surface[at]));
      }
    }
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        const std::size_t at =
            static_cast<std::size_t>(y) * static_cast<std::size_t>(w) + static_cast<std::size_t>(x);
        const int s = surface[at];
        const std::size_t row = static_cast<std::size_t>(w);
        const bool edge = (x > 0 && surface[at - 1] != s) || (x + 1 < w && surface[at + 1] != s) ||
                          (y > 0 && surface[at - row] != s) || (y + 1 < h && surface[at + row] != s);
        if (edge) store(out + 3 * at, supersample(x, y));
      }
    }
  }

 private:
  static void store(float* out, Vec v) { out[0] = v.x, out[1] = v.y, out[2] = v.z; }

  Vec supersample(int x, int y) const {
    Vec sum;
    int ignored = 0;
    for (int j = 0; j < 4; ++j) {
      for (int i = 0; i < 4; ++i) {
        sum = sum + cast(static_cast<float>(x) + (static_cast<float>(i) + 0.5f) * 0.25f,
                         static_cast<float>(y) + (static_cast<float>(j) + 0.5f) * 0.25f, &ignored);
      }
    }
    return sum * (1.0f / 16.0f);
  }

  Vec cast(float x, float y, int* surface) const {
    const Vec d = forward_ +
                  right_ * (x + static_cast<float>(view_.left) - 0.5f * static_cast<float>(view_.width)) +
                  down_ * (y + static_cast<float>(view_.top) - 0.5f * static_cast<float>(view_.height));
    const Vec eye{0, kCameraHeight, -kCameraDistance};
    Hit hit;
    std::size_t body = 0;
    for (std::size_t i = 0; i < bodies_.size(); ++i) {
      const Vec to = bounds_[i].middle - eye;
      const float along = dot(to, d), length2 = dot(d, d);
      if (dot(to, to) - along * along / length2 > bounds_[i].radius2) continue;
      const float before = hit.t;
      intersect(bodies_[i], eye, d, &hit, 10 + 4 * static_cast<int>(i));
      if (hit.t < before) body = i;
    }
    const float wall = ((place_ == Place::kTable ? kWall : kFar) + kCameraDistance) / d.z;
    const float floor = d.y < 0 ? -kCameraHeight / d.y : std::numeric_limits<float>::infinity();
    if (hit.t < std::min(wall, floor)) {
      const Body& seen = bodies_[body];
      const bool dark = dark_at(seen, seen.turned((eye + d * hit.t - seen.base) * (1 / seen.scale)));
      *surface =
          2 * hit.surface + (dark ? 1 : 0);  // the borders of cells are supersampled like those of faces
      return shade_body(seen, hit, normalise(d)) * (dark ? seen.depth : 1.0f);
    }
    if (floor < wall) {
      *surface = 1;
      return shade_floor(eye + d * floor);
    }
    *surface = 0;
    const Vec p = eye + d * wall;
    const Vec light = backdrop(place_, rig_, p, d);
    return place_ == Place::kTable ? light + glow(p) * 0.36f : light;
  }

  static void intersect(const Body& body, Vec eye, Vec d, Hit* hit, int id) {
    const float inverse = 1 / body.scale;
    const Vec o = (eye - body.base) * inverse, s = d * inverse;
    const float before = hit->t;
    intersect_unit(body.shape, body.turned(o), body.turned(s), hit, id);
    if (hit->t < before)
      hit->normal = body.turned_back(hit->normal), hit->bulge = body.turned_back(hit->bulge);
  }

  Vec shade_body(const Body& body, const Hit& hit, Vec d) const {
    switch (body.material) {
      case Material::kMatte: {
        const float facing = std::max(0.0f, dot(hit.normal, rig_.towards_key));
        return body.reflect * (rig_.key * facing + rig_.ambient * (0.75f + 0.25f * hit.normal.y));
      }
      case Material::kMetal: {
        const Vec r = d - hit.bulge * (2 * dot(d, hit.bulge));
        return body.reflect * environment(rig_, white_, normalise(r));
      }
      case Material::kEmissive:
        break;
    }
    const float peak = std::max({body.reflect.x, body.reflect.y, body.reflect.z});
    return body.reflect * (body.emission / peak * (0.65f + 0.35f * std::fabs(dot(hit.normal, d))));
  }

  Vec shade_floor(Vec p) const {
    const Vec reflect = floor_reflectance(place_, p.x, p.z);
    const float facing = rig_.towards_key.y;
    float key = 1, sky = 1;
    for (const Body& body : bodies_) {
      if (body.material == Material::kEmissive) continue;
      const float r = radius_of(body.shape) * body.scale;
      const Vec away = Vec{-rig_.towards_key.x, 0, -rig_.towards_key.z} * (1 / rig_.towards_key.y);
      const float lift = body.base.y;
      const Vec to = p - (body.base + away * (lift + 0.45f * height_of(body.shape) * body.scale));
      const float spread = r * (1.0f + 0.3f * lift);
      const float dx = to.x / (spread * (1 + 0.5f * std::fabs(away.x))),
                  dz = to.z / (spread * (1 + 0.5f * std::fabs(away.z)));
      key *= 1 - 0.75f * (1 - smooth(0.5f, 1.6f, dx * dx + dz * dz));
      const float cx = (p.x - body.base.x) / r, cz = (p.z - body.base.z) / r;
      sky *= 1 - 0.7f / (1 + 6 * lift) * (1 - smooth(0.6f, 2.2f, cx * cx + cz * cz));
    }
    return reflect * (rig_.key * (facing * key) + rig_.ambient * sky + glow(p));
  }

  // Light that emissive bodies throw on a surface: falls off fast, so that the far scene keeps its hour.
  Vec glow(Vec p) const {
    Vec sum;
    for (const Body& body : bodies_) {
      if (body.material != Material::kEmissive) continue;
      const Vec to = p - (body.base + Vec{0, 0.4f * height_of(body.shape) * body.scale, 0});
      const float d2 = dot(to, to) / (body.scale * body.scale), fall = d2 + 0.25f;
      const float peak = std::max({body.reflect.x, body.reflect.y, body.reflect.z});
      sum = sum + body.reflect * (0.10f * body.emission / (peak * fall * fall));
    }
    return sum;
  }

  struct Bound {
    Vec middle;
    float radius2;
  };
  Place place_;
  Rig rig_;
  Vec white_;
  View view_;
  std::vector<Body> bodies_;
  std::vector<Bound> bounds_;
  Vec forward_, right_, down_;
};

std::vector<Body> bodies_at(const Scene& scene, double progress) {
  static constexpr double kScales[] = {0.75, 1.0, 1.2};
  const double along = (progress - 0.5) * scene.pace;
  const double scale = kScales[static_cast<std::size_t>(scene.size)];
  double x = scene.screen_offset, y = 0.0, z = 0.0;
  switch (scene.motion) {
    case Motion::kStill:
      break;
    case Motion::kLeft:
      x -= kSideWay * along;
      break;
    case Motion::kRight:
      x += kSideWay * along;
      break;
    case Motion::kUp:
      y = 0.6 / scale * progress * scene.pace;
      break;
    case Motion::kToward:
      z = 0.5 * (kNear + kAwayZ) + (kNear - kAwayZ) * along;
      break;
    case Motion::kAway:
      z = 0.5 * (kNear + kAwayZ) - (kNear - kAwayZ) * along;
      break;
  }
  std::vector<Body> bodies;
  Body body;
  body.shape = scene.shape;
  body.material = scene.material;
  body.reflect = to_vec(reflectance(scene.colour));
  body.emission = static_cast<float>(scene.emission);
  body.base = {static_cast<float>(x), static_cast<float>(y), static_cast<float>(z)};
  body.scale = static_cast<float>(scale);
  body.turn_cos = static_cast<float>(std::cos(scene.turn));
  body.turn_sin = static_cast<float>(std::sin(scene.turn));
  if (scene.material != Material::kEmissive) body.texture = scene.texture;
  body.cells = static_cast<float>(scene.texture_cells);
  body.depth = static_cast<float>(scene.texture_depth);
  bodies.push_back(body);
  body.texture = Texture::kPlain;
  if (scene.companion) {
    body.shape = scene.companion->shape;
    body.material = Material::kMatte;
    body.reflect = to_vec(reflectance(scene.companion->colour));
    body.base = {scene.companion->on_left ? -1.75f : 1.75f, 0.0f, 1.7f};
    body.scale = 0.55f;
    bodies.push_back(body);
  }
  return bodies;
}

}  // namespace

Pose camera_pose(const Scene& scene, double progress) {
  const double along = (progress - 0.5) * scene.pace;
  switch (scene.camera) {
    case CameraMove::kStatic:
      break;
    case CameraMove::kPanLeft:
      return {-kPanAngle * along, 1.0};
    case CameraMove::kPanRight:
      return {kPanAngle * along, 1.0};
    case CameraMove::kZoomIn:
      return {0.0, std::pow(kZoomRange, 2 * along)};
    case CameraMove::kZoomOut:
      return {0.0, std::pow(kZoomRange, -2 * along)};
  }
  return {};
}

Clip render(const Scene& scene, int frames, const View& view) {
  Clip clip{frames, view.crop_height, view.crop_width, {}};
  const std::size_t frame_size =
      3 * static_cast<std::size_t>(view.crop_height) * static_cast<std::size_t>(view.crop_width);
  clip.light.resize(frame_size * static_cast<std::size_t>(frames));
  for (int f = 0; f < frames; ++f) {
    const double progress = frames > 1 ? static_cast<double>(f) / (frames - 1) : 0.5;
    const Painter painter(scene.light, scene.place, camera_pose(scene, progress), view,
                          bodies_at(scene, progress));
    painter.paint(&clip.light[frame_size * static_cast<std::size_t>(f)]);
  }
  return clip;
}

Clip render_empty(Light light, Place place, const Pose& pose, const View& view) {
  Clip clip{1, view.crop_height, view.crop_width, {}};
  clip.light.resize(3 * static_cast<std::size_t>(view.crop_height) *
                    static_cast<std::size_t>(view.crop_width));
  Painter(light, place, pose, view, {}).paint(clip.light.data());
  return clip;
}

std::array<double, 3> white_level(Light light) {
  const Rig rig = rig_of(light);
  return {rig.key.x + rig.ambient.x, rig.key.y + rig.ambient.y, rig.key.z + rig.ambient.z};
}

Lamps lamps_of(Light light) {
  const Rig rig = rig_of(light);
  const float facing = rig.towards_key.y;  // on the floor, where shadows fall
  return {{rig.key.x * facing, rig.key.y * facing, rig.key.z * facing},
          {rig.ambient.x, rig.ambient.y, rig.ambient.z}};
}

std::array<double, 3> reflectance(Colour colour) {
  switch (colour) {
    case Colour::kRed:
      return {0.72, 0.035, 0.03};
    case Colour::kOrange:
      return {0.85, 0.27, 0.02};
    case Colour::kYellow:
      return {0.85, 0.72, 0.04};
    case Colour::kGreen:
      return {0.06, 0.50, 0.06};
    case Colour::kCyan:
      return {0.04, 0.58, 0.62};
    case Colour::kBlue:
      return {0.03, 0.08, 0.72};
    case Colour::kPurple:
      return {0.42, 0.04, 0.62};
    case Colour::kWhite:
      break;
  }
  return {0.80, 0.80, 0.80};
}

// Academy S-2016-001, "ACEScct: a quasi-logarithmic encoding of ACES data".
float acescct_encode(float linear) {
  if (!(linear > 0.0078125f)) return 10.5402377416545f * linear + 0.0729055341958355f;
  return (std::log2(linear) + 9.72f) / 17.52f;
}

float acescct_decode(float code) {
  if (!(code > 0.155251141552511f)) return (code - 0.0729055341958355f) / 10.5402377416545f;
  return std::exp2(code * 17.52f - 9.72f);
}

}  // namespace rushes::scene
