"""What the VAE is trained against, and the faults of a decoder as numbers.

Videos are [B, 3, T, H, W] in -1..1 (code * 2 - 1). Every loss answers a fault that was measured in decoded clips:
blurred edges, lines on the decoder's grids, steps that follow the latent stride, flicker of what stands still, and
glowing objects that miss their peak.
"""

import ctypes
import math

import torch
import torch.nn.functional as F

from tabletop.fused import library

GLOW = 2 * 0.60 - 1  # code 0.60 is 1.73 times white in linear light: only glowing things and highlights lie above
STRIDE = (4, 16, 16)  # frames, rows, columns of a latent

# The weights of the terms of `distortion`: of squares beside absolute errors, and more where the truth glows.
SQUARE, GLOW_WEIGHT = 6.0, 3.0
EDGES, HUE, PATTERN, RIPPLE, PHASE, FLICKER = 2.0, 0.5, 2.0, 1.0, 0.02, 1.0


def psnr(video, truth):
    """PSNR in code space, where codes run over 0..1 (videos in -1..1)."""
    return -10 * math.log10(((video - truth) / 2).pow(2).mean().item())


def edges(x, y):
    """Mean absolute error of neighbour differences along columns, rows and frames."""
    return sum((x.diff(dim=d) - y.diff(dim=d)).abs().mean() for d in (2, 3, 4) if x.shape[d] > 1) / 3


def hue_error(error):
    """Mean absolute error of R-G and B-G over blocks of 8x8 pixels: hues are right before edges are."""
    low = F.avg_pool3d(error, (1, 8, 8))
    return (low[:, 0] - low[:, 1]).abs().mean() + (low[:, 2] - low[:, 1]).abs().mean()


def pattern(error):
    """What all latents' blocks have in common, [B, 3, 4 or 1, 16, 16]: the mean error at every place of a block. Lines
    of 2, 4, 8 and 16 pixels and a beat with the stride in time are all in it. Large errors (edges) are held down, so
    that flat regions, where patterns are seen, decide."""
    error = 0.05 * torch.tanh(error / 0.05)
    batch, colours, frames, rows, columns = error.shape
    _, high, wide = STRIDE
    time = STRIDE[0] if frames > 1 else 1
    if frames > 1:
        error = error[:, :, 1:]
    folded = error.reshape(batch, colours, error.shape[2] // time, time, rows // high, high, columns // wide, wide)
    return folded.mean((2, 4, 6))


def ripple(error):
    """Mean absolute size of the error's waves of 2 pixels along columns, rows and both, over blocks of 8x8."""
    rows, columns = (torch.tensor([1.0, -1.0]).repeat(n // 2) for n in error.shape[3:])
    waves = (columns.view(1, -1), rows.view(-1, 1), rows.view(-1, 1) * columns)
    return sum(F.avg_pool3d(error * wave, (1, 8, 8)).abs().mean() for wave in waves) / 3


def step_sizes(video):
    """Mean absolute difference to the frame before, by place in the latent's four frames: [B, 4]."""
    step = video.diff(dim=2).abs().mean((1, 3, 4))
    return step.reshape(len(step), -1, STRIDE[0]).mean(1)


def phase_error(made, truth):
    """How far the steps between frames are from the truth's, by phase: mean |log ratio|, 0 is none."""
    return torch.log((step_sizes(made) + 2e-3) / (step_sizes(truth) + 2e-3)).abs().mean()


def flicker(made, truth):
    """Mean absolute step between frames where the truth stands still; 0 where nothing does."""
    still = (truth.diff(dim=2).abs().amax(1, keepdim=True) < 1e-4).float()
    return (made.diff(dim=2).abs() * still).sum() / (3 * still.sum() + 1e-3 * still.numel())


def distortion_plain(made, truth):
    """The sum of all of them: what a decoded video costs."""
    error = made - truth
    weight = 1 + GLOW_WEIGHT * (truth.amax(1, keepdim=True) > GLOW).float()
    loss = ((error.abs() + SQUARE * error.pow(2)) * weight).mean() + EDGES * edges(made, truth) + HUE * hue_error(error)
    loss = loss + PATTERN * pattern(error).abs().mean() + RIPPLE * ripple(error)
    if made.shape[2] > 1:
        loss = loss + PHASE * phase_error(made, truth) + FLICKER * flicker(made, truth)
    return loss


class Sizes(ctypes.Structure):
    """losses.cpp's struct of the same name."""
    _fields_ = [(name, ctypes.c_long) for name in ("batch", "frames", "rows", "columns")]


class Weights(ctypes.Structure):
    """losses.cpp's struct of the same name."""
    _fields_ = [(name, ctypes.c_float) for name in (
        "square", "glow", "edges", "hue", "pattern", "ripple", "phase", "flicker", "glow_level")]


LIBRARY = library("losses.cpp")
LIBRARY.distortion.restype = ctypes.c_double


class Distortion(torch.autograd.Function):
    """distortion_plain, with its gradient, by losses.cpp."""

    @staticmethod
    def forward(ctx, made, truth):
        made, truth = made.contiguous(), truth.contiguous()
        error, gradient = made - truth, torch.empty_like(made)
        weights = Weights(SQUARE, GLOW_WEIGHT, EDGES, HUE, PATTERN, RIPPLE, PHASE, FLICKER, GLOW)
        loss = LIBRARY.distortion(ctypes.byref(Sizes(len(made), *made.shape[2:])), ctypes.byref(weights),
                                  *[ctypes.c_void_p(t.data_ptr()) for t in (made, truth, error, gradient)])
        ctx.save_for_backward(gradient)
        return torch.tensor(loss, dtype=torch.float32)

    @staticmethod
    def backward(ctx, dloss):
        return ctx.saved_tensors[0] * dloss, None


distortion = Distortion.apply


def losses(model, video, kl_weight, frozen_encoder=False, autocast=True):
    """The loss of one batch, its squared error and KL term (floats)."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        with torch.set_grad_enabled(not frozen_encoder):
            mean, log_variance = model.moments(video)
        mean, log_variance = mean.float(), log_variance.float().clamp(-12, 4)
        latent = mean + torch.randn(mean.shape) * (0.5 * log_variance).exp()
        made = model.decode(latent).float()
    kl = 0.5 * (mean.pow(2) + log_variance.exp() - 1 - log_variance).mean()
    mse = (made.detach() - video).pow(2).mean().item()
    return distortion(made, video) + kl_weight * kl, mse, kl.item()
