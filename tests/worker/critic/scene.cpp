#include "tests/worker/critic/scene.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace rushes::worker::testing {
namespace {

using Colour = std::array<double, 3>;

struct Wave {
  double fx, fy, phase, amplitude;
};

struct Ball {
  double x, y, vx, vy, radius;
  Colour colour;
  bool emissive;
};

struct Scene {
  std::array<Wave, 6> waves;
  Colour ground;
  std::vector<Ball> balls;
  double pan_x = 0, pan_y = 0, zoom = 0, fade = 0;  // pixels, pixels, relative, stops; all per frame
};

Colour random_colour(Dice& dice, double level) {
  return {level * dice.between(0.3, 1), level * dice.between(0.3, 1), level * dice.between(0.3, 1)};
}

Ball random_ball(Dice& dice, const SceneOptions& options, double speed) {
  Ball ball{};
  const double angle = dice.between(0, 2 * M_PI);
  ball.vx = speed * std::cos(angle);
  ball.vy = 0.5 * speed * std::sin(angle);
  ball.radius = dice.between(5, 16);
  // The middle of the clip finds the ball near the middle of the picture.
  ball.x = options.width * dice.between(0.35, 0.65) - ball.vx * options.frames / 2;
  ball.y = options.height * dice.between(0.35, 0.65) - ball.vy * options.frames / 2;
  ball.emissive = dice.uniform() < 0.3;
  ball.colour = random_colour(dice, ball.emissive ? dice.between(4, 16) : dice.between(0.05, 0.8));
  return ball;
}

Scene random_scene(Action action, Dice& dice, const SceneOptions& options) {
  Scene scene{};
  for (Wave& wave : scene.waves) {
    const double scale = dice.between(0.04, 0.5), angle = dice.between(0, 2 * M_PI);  // radians per pixel
    wave = {scale * std::cos(angle), scale * std::sin(angle), dice.between(0, 2 * M_PI),
            dice.between(0, 0.12)};
  }
  scene.ground = random_colour(dice, dice.between(0.03, 0.6));
  const double slow = dice.between(0.3, 1.2), fast = dice.between(2.5, 4.5);
  const int balls = dice.whole(1, 3);
  for (int i = 0; i < balls; ++i)
    scene.balls.push_back(random_ball(dice, options,
                                      action == Action::kMove   ? slow
                                      : action == Action::kPass ? fast
                                                                : 0));
  const double sign = dice.uniform() < 0.5 ? -1 : 1;
  if (action == Action::kPan) {
    scene.pan_x = sign * dice.between(0.4, 3);
    scene.pan_y = dice.between(-0.4, 0.4);
  }
  if (action == Action::kZoom) scene.zoom = sign * dice.between(0.002, 0.008);
  if (action == Action::kFade) scene.fade = sign * dice.between(0.01, 0.05);
  return scene;
}

// Coverage of a ball at a point, smooth over one pixel at its edge.
double coverage(const Ball& ball, double t, double x, double y) {
  const double distance = std::hypot(x - ball.x - ball.vx * t, y - ball.y - ball.vy * t);
  return std::clamp(ball.radius - distance + 0.5, 0.0, 1.0);
}

// sin and cos of a wave along one axis, so that sin(a + b) = sin a cos b + cos a sin b needs no call per
// pixel.
struct Axis {
  std::vector<double> sine, cosine;
  Axis(double frequency, double phase, const std::vector<double>& places) {
    for (const double place : places) {
      sine.push_back(std::sin(frequency * place + phase));
      cosine.push_back(std::cos(frequency * place + phase));
    }
  }
};

// The ground's texture of one frame, seen at columns u and rows v.
std::vector<double> texture_of(const Scene& scene, const std::vector<double>& u,
                               const std::vector<double>& v) {
  std::vector<double> texture(u.size() * v.size(), 1.0);
  for (const Wave& wave : scene.waves) {
    const Axis across(wave.fx, wave.phase, u), down(wave.fy, 0, v);
    for (std::size_t y = 0; y < v.size(); ++y)
      for (std::size_t x = 0; x < u.size(); ++x)
        texture[y * u.size() + x] +=
            wave.amplitude * (across.sine[x] * down.cosine[y] + across.cosine[x] * down.sine[y]);
  }
  return texture;
}

Colour light_at(const Scene& scene, double texture, double t, double x, double y) {
  Colour light;
  for (std::size_t c = 0; c < 3; ++c) light[c] = scene.ground[c] * texture;
  for (const Ball& ball : scene.balls) {
    const double dx = x - ball.x - ball.vx * t, dy = y - ball.y - ball.vy * t, reach = ball.radius + 1;
    if (dx * dx + dy * dy > reach * reach) continue;
    const double cover = coverage(ball, t, x, y), up = -dy / ball.radius;
    const double shade = ball.emissive ? 1.0 : 0.6 + 0.4 * up;
    for (std::size_t c = 0; c < 3; ++c) light[c] += cover * (ball.colour[c] * shade - light[c]);
  }
  return light;
}

// Nearly normal, mean 0 and deviation 1: the sum of three uniforms, scaled.
double noise(Dice& dice) { return 2 * (dice.uniform() + dice.uniform() + dice.uniform() - 1.5); }

}  // namespace

const char* to_string(Action action) {
  constexpr std::array<const char*, 6> kWords{"still", "move", "pan", "zoom", "fade", "pass"};
  return kWords[static_cast<std::size_t>(action)];
}

std::uint64_t Dice::next() {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

Clip render(Action action, std::uint64_t seed, const SceneOptions& options) {
  Dice dice(seed * 16 + static_cast<std::uint64_t>(action));
  const Scene scene = random_scene(action, dice, options);
  Clip clip(options.width, options.height, options.frames);
  for (int t = 0; t < options.frames; ++t) {
    const double scale = std::exp(scene.zoom * t), level = std::exp2(scene.fade * (t - options.frames / 2.0));
    std::vector<double> u, v;
    for (int x = 0; x < options.width; ++x)
      u.push_back((x - options.width / 2.0) * scale + options.width / 2.0 +
                  scene.pan_x * (t - options.frames / 2.0));
    for (int y = 0; y < options.height; ++y)
      v.push_back((y - options.height / 2.0) * scale + options.height / 2.0 + scene.pan_y * t);
    const std::vector<double> texture = texture_of(scene, u, v);
    for (std::size_t y = 0; y < v.size(); ++y)
      for (std::size_t x = 0; x < u.size(); ++x) {
        const Colour light = light_at(scene, texture[y * u.size() + x], t, u[x], v[y]);
        const double grain = options.grain ? 1 + 0.01 * noise(dice) : 1;
        float* pixel = clip.at(t, static_cast<int>(y), static_cast<int>(x));
        for (std::size_t c = 0; c < 3; ++c) pixel[c] = static_cast<float>(light[c] * level * grain);
      }
  }
  return clip;
}

void scale_light(Clip& clip, int first, int last, int x, int y, int width, int height, double factor) {
  for (int t = first; t <= last; ++t)
    for (int v = y; v < y + height; ++v)
      for (int u = x; u < x + width; ++u)
        for (int c = 0; c < kChannels; ++c) clip.at(t, v, u)[c] *= static_cast<float>(factor);
}

void scale_channel(Clip& clip, int first, int last, int channel, double factor) {
  for (int t = first; t <= last; ++t)
    for (int y = 0; y < clip.height; ++y)
      for (int x = 0; x < clip.width; ++x) clip.at(t, y, x)[channel] *= static_cast<float>(factor);
}

void copy_frame(Clip& clip, int from, int to) {
  std::copy(clip.frame(from), clip.frame(from) + clip.frame_values(), clip.frame(to));
}

void shift_picture(Clip& clip, int first, int last, int dx, int dy) {
  for (int t = first; t <= last; ++t) {
    const std::vector<float> frame(clip.frame(t), clip.frame(t) + clip.frame_values());
    for (int y = 0; y < clip.height; ++y)
      for (int x = 0; x < clip.width; ++x) {
        const int u = std::clamp(x - dx, 0, clip.width - 1), v = std::clamp(y - dy, 0, clip.height - 1);
        const float* from = frame.data() + static_cast<std::size_t>(v) * clip.row_values() +
                            static_cast<std::size_t>(u) * kChannels;
        std::copy(from, from + kChannels, clip.at(t, y, x));
      }
  }
}

}  // namespace rushes::worker::testing
