// Rearrangements of video tensors, each one permutation of a reshaped view (Backend::permute), and numbers of the host
// in a part of a tensor.
//
// Thread contract: as Backend.
#pragma once

#include "kernels/backend.h"

namespace rushes::kernels {

// Writes as many values as `target` (kF32 or kBf16) has elements, rounded to its dtype.
void write_values(Backend& backend, const std::vector<float>& values, const Tensor& target);
// kF32 or kBf16; waits.
std::vector<float> read_values(Backend& backend, const Tensor& x);

// x [C, T, H, W] -> y [T, H, W, C], and back.
void to_channels_last(Backend& backend, const Tensor& x, const Tensor& y);
void to_channels_first(Backend& backend, const Tensor& x, const Tensor& y);

// x [C, T, H, W] -> y [T/pt * H/ph * W/pw, C * pt * ph * pw]: one row per token, tokens in order t, h, w (w
// fastest), values in order c, pt, ph, pw: a row times patch_embedding.weight viewed as [dim, C*pt*ph*pw] is
// the patch embedding.
void patchify_tokens(Backend& backend, const Tensor& x, Strides patch, const Tensor& y);
// x [T/pt * H/ph * W/pw, pt * ph * pw * C] (c fastest: 'f h w p q r c -> c (f p)(h q)(w r)') -> y [C, T, H,
// W].
void unpatchify_tokens(Backend& backend, const Tensor& x, Strides patch, const Tensor& y);

// VAE 2.2's pixel patches: x [C, T, H, W] -> y [T, H/p, W/p, C * p * p], channel = (c * p + column) * p +
// row.
void patchify_pixels(Backend& backend, const Tensor& x, std::int64_t p, const Tensor& y);
void unpatchify_pixels(Backend& backend, const Tensor& x, std::int64_t p, const Tensor& y);

// x [T, H, W, 2C] -> y [2T, H, W, C]: frame 2t takes channels [0, C) of frame t, frame 2t + 1 channels [C,
// 2C).
void interleave_time(Backend& backend, const Tensor& x, const Tensor& y);

// VAE 2.2 shortcuts. `space` is fs, `time` is ft.
// AvgDown3D: x [T, H, W, C] -> y [ceil(T/ft), H/fs, W/fs, Cout]: missing frames are zeros in front, then
// channels
// ((c * ft + dt) * fs + dy) * fs + dx are averaged in consecutive groups of C * ft * fs^2 / Cout.
void average_down(Backend& backend, const Tensor& x, std::int64_t time, std::int64_t space, const Tensor& y);
// DupUp3D: x [T, H, W, C] -> y [T * ft - (ft - 1), H * fs, W * fs, Cout]: each channel repeated Cout * ft *
// fs^2 / C times, viewed as [Cout, ft, fs, fs], interleaved; at the start of a clip the
// first ft - 1 frames are dropped: y has T * ft - (ft - 1) frames there, T * ft in later chunks of the clip.
void repeat_up(Backend& backend, const Tensor& x, std::int64_t time, std::int64_t space, const Tensor& y);

}  // namespace rushes::kernels
