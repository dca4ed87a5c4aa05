#include "kernels/layout.h"

#include "kernels/check.h"

namespace rushes::kernels {

void write_values(Backend& backend, const std::vector<float>& values, const Tensor& target) {
  require(static_cast<std::int64_t>(values.size()) == target.elements(), "write_values",
          std::to_string(values.size()) + " values into " + to_string(target.shape()));
  const Tensor x = backend.upload(host_tensor(values, target.shape()));
  backend.copy_box(x, Shape(x.shape().size(), 0), target, Shape(x.shape().size(), 0), x.shape());
}

std::vector<float> read_values(Backend& backend, const Tensor& x) {
  std::vector<float> values(static_cast<std::size_t>(x.elements()));
  backend.download(x, values.data());
  return values;
}

void to_channels_last(Backend& backend, const Tensor& x, const Tensor& y) {
  backend.permute(x, {1, 2, 3, 0}, y);
}

void to_channels_first(Backend& backend, const Tensor& x, const Tensor& y) {
  backend.permute(x, {3, 0, 1, 2}, y);
}

void patchify_tokens(Backend& backend, const Tensor& x, Strides p, const Tensor& y) {
  require(x.rank() == 4 && x.dim(1) % p.t == 0 && x.dim(2) % p.h == 0 && x.dim(3) % p.w == 0,
          "patchify_tokens", to_string(x.shape()) + " is not a multiple of the patch");
  const std::int64_t c = x.dim(0), t = x.dim(1) / p.t, h = x.dim(2) / p.h, w = x.dim(3) / p.w;
  backend.permute(x.reshape({c, t, p.t, h, p.h, w, p.w}), {1, 3, 5, 0, 2, 4, 6},
                  y.reshape({t, h, w, c, p.t, p.h, p.w}));
}

void unpatchify_tokens(Backend& backend, const Tensor& x, Strides p, const Tensor& y) {
  require(y.rank() == 4 && y.dim(1) % p.t == 0 && y.dim(2) % p.h == 0 && y.dim(3) % p.w == 0,
          "unpatchify_tokens", to_string(y.shape()) + " is not a multiple of the patch");
  const std::int64_t c = y.dim(0), t = y.dim(1) / p.t, h = y.dim(2) / p.h, w = y.dim(3) / p.w;
  backend.permute(x.reshape({t, h, w, p.t, p.h, p.w, c}), {6, 0, 3, 1, 4, 2, 5},
                  y.reshape({c, t, p.t, h, p.h, w, p.w}));
}

void patchify_pixels(Backend& backend, const Tensor& x, std::int64_t p, const Tensor& y) {
  require(x.rank() == 4 && x.dim(2) % p == 0 && x.dim(3) % p == 0, "patchify_pixels",
          to_string(x.shape()) + " is not a multiple of the patch");
  const std::int64_t c = x.dim(0), t = x.dim(1), h = x.dim(2) / p, w = x.dim(3) / p;
  backend.permute(x.reshape({c, t, h, p, w, p}), {1, 2, 4, 0, 5, 3}, y.reshape({t, h, w, c, p, p}));
}

void unpatchify_pixels(Backend& backend, const Tensor& x, std::int64_t p, const Tensor& y) {
  require(y.rank() == 4 && y.dim(2) % p == 0 && y.dim(3) % p == 0, "unpatchify_pixels",
          to_string(y.shape()) + " is not a multiple of the patch");
  const std::int64_t c = y.dim(0), t = y.dim(1), h = y.dim(2) / p, w = y.dim(3) / p;
  backend.permute(x.reshape({t, h, w, c, p, p}), {3, 0, 1, 5, 2, 4}, y.reshape({c, t, h, p, w, p}));
}

void interleave_time(Backend& backend, const Tensor& x, const Tensor& y) {
  require(x.rank() == 4 && x.dim(3) % 2 == 0, "interleave_time",
          "an odd channel count " + to_string(x.shape()));
  const std::int64_t t = x.dim(0), area = x.dim(1) * x.dim(2), c = x.dim(3) / 2;
  backend.permute(x.reshape({t, area, 2, c}), {0, 2, 1, 3}, y.reshape({t, 2, area, c}));
}

void average_down(Backend& backend, const Tensor& x, std::int64_t time, std::int64_t space, const Tensor& y) {
  require(x.rank() == 4 && y.rank() == 4 && x.dim(1) % space == 0 && x.dim(2) % space == 0, "average_down",
          to_string(x.shape()) + " into " + to_string(y.shape()));
  const std::int64_t t = (x.dim(0) + time - 1) / time, h = x.dim(1) / space, w = x.dim(2) / space,
                     c = x.dim(3);
  const std::int64_t missing = t * time - x.dim(0), channels = c * time * space * space;
  require(y.dim(3) > 0 && channels % y.dim(3) == 0, "average_down", "channels do not divide");
  Tensor padded = x;
  if (missing) {
    padded = backend.empty(x.dtype(), {t * time, x.dim(1), x.dim(2), c});
    backend.fill(padded.slice(0, missing), 0.0f);
    backend.copy_box(x, {0, 0, 0, 0}, padded, {missing, 0, 0, 0}, x.shape());
  }
  const Tensor moved = backend.empty(x.dtype(), {t, h, w, c, time, space, space});
  backend.permute(padded.reshape({t, time, h, space, w, space, c}), {0, 2, 4, 6, 1, 3, 5}, moved);
  backend.group_mean(moved.reshape({t, h, w, y.dim(3), channels / y.dim(3)}), y);
}

void repeat_up(Backend& backend, const Tensor& x, std::int64_t time, std::int64_t space, const Tensor& y) {
  require(x.rank() == 4 && y.rank() == 4, "repeat_up",
          to_string(x.shape()) + " into " + to_string(y.shape()));
  const std::int64_t t = x.dim(0), h = x.dim(1), w = x.dim(2), c = x.dim(3), out = y.dim(3);
  const std::int64_t channels = out * time * space * space;
  require(c > 0 && channels % c == 0, "repeat_up", "channels do not divide");
  const Tensor repeated = backend.empty(x.dtype(), {t, h, w, channels});
  backend.group_repeat(x, repeated.reshape({t, h, w, c, channels / c}));
  const Tensor whole = backend.empty(x.dtype(), {t, time, h, space, w, space, out});
  backend.permute(repeated.reshape({t, h, w, out, time, space, space}), {0, 4, 1, 5, 2, 6, 3}, whole);
  const std::int64_t dropped = t * time - y.dim(0);
  require(dropped == 0 || dropped == time - 1, "repeat_up",
          to_string(x.shape()) + " into " + to_string(y.shape()));
  const Tensor frames = whole.reshape({t * time, h * space, w * space, out}).slice(dropped, t * time);
  backend.copy_box(frames, {0, 0, 0, 0}, y, {0, 0, 0, 0}, frames.shape());
}

}  // namespace rushes::kernels
