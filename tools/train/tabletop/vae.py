"""The causal video VAE of Wan 2.2 in its whole-sequence form, with the official tensor names.

A clip [B, 3, 4n+1, H, W] in -1..1 becomes latents [B, z, n+1, H/16, W/16] and back. Whole sequence means: no
chunks and no caches, which gives exactly what the chunked original gives (causal convolutions see two zero
frames in front; frame 0 passes the time resampling on its own).
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from tabletop import fused
from tabletop.conv import block, conv


class RmsNorm(nn.Module):
    """x / max(|x|, 1e-12) * sqrt(C) * gamma over the channels of videos."""

    def __init__(self, channels):
        super().__init__()
        self.scale = channels**0.5
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x):
        length = x.float().pow(2).sum(1, keepdim=True).clamp_min(1e-24).rsqrt()
        return x * (length * self.scale).to(x.dtype) * self.gamma.to(x.dtype)[..., None]


class NormSilu(nn.Module):
    """RmsNorm and SiLU in one pass over memory."""

    def __init__(self, channels):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1, 1))

    def forward(self, x):
        return fused.norm_silu(x, self.gamma)


class CausalConv3d(nn.Conv3d):
    """Pads time on the left only, with zeros, and space on all sides: outputs are as large as inputs."""

    def forward(self, x, norm=None):
        """With a NormSilu, which runs first."""
        return conv(x, self.weight, self.bias, gamma=None if norm is None else norm.gamma)


class FrameConv(nn.Conv2d):
    """A 2D convolution of every frame of a video, padded on all sides, or with stride 2 on the right and below; of
    the video with every row and column `doubled`."""

    def forward(self, x, residual=None, doubled=False):
        return conv(x, self.weight[:, :, None], self.bias, 1, self.stride[0], doubled, residual)


class ResidualBlock(nn.Module):
    """norm, SiLU, conv, norm, SiLU, conv, plus the input (through a 1x1x1 conv where widths differ)."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.residual = nn.Sequential(
            NormSilu(inputs), nn.Identity(), CausalConv3d(inputs, outputs, 3),
            NormSilu(outputs), nn.Identity(), nn.Identity(), CausalConv3d(outputs, outputs, 3))
        self.shortcut = CausalConv3d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x):
        norm1, _, conv1, norm2, _, _, conv2 = self.residual
        return block(x, norm1, conv1, norm2, conv2, self.shortcut)


class AttentionBlock(nn.Module):
    """One-head attention inside every frame."""

    def __init__(self, channels):
        super().__init__()
        self.norm = RmsNorm(channels)
        self.to_qkv = FrameConv(channels, 3 * channels, 1)
        self.proj = FrameConv(channels, channels, 1)
        nn.init.zeros_(self.proj.weight)

    def forward(self, x):
        batch, channels, frames, rows, columns = x.shape
        y = self.to_qkv(self.norm(x)).permute(0, 2, 3, 4, 1).reshape(batch * frames, rows * columns, 3 * channels)
        q, k, v = y.chunk(3, dim=-1)
        weights = torch.softmax((q @ k.transpose(1, 2)).float() * channels**-0.5, dim=-1).to(v.dtype)
        y = (weights @ v).reshape(batch, frames, rows, columns, channels).permute(0, 4, 1, 2, 3)
        return self.proj(y, residual=x)


class Downsample(nn.Module):
    """Halves space; with `time` also 2k+1 frames to k+1: frame 0 passes, then every second one with its past."""

    def __init__(self, channels, time):
        super().__init__()
        self.resample = nn.Sequential(nn.Identity(), FrameConv(channels, channels, 3, stride=2))
        if time:
            self.time_conv = nn.Conv3d(channels, channels, (3, 1, 1), stride=(2, 1, 1))

    def forward(self, x):
        x = self.resample(x)
        if not hasattr(self, "time_conv") or x.shape[2] == 1:
            return x
        later = conv(x, self.time_conv.weight, self.time_conv.bias, step_time=2)
        return torch.cat([x[:, :, :1], later], dim=2)


class Upsample(nn.Module):
    """Doubles space; with `time` also k+1 frames to 2k+1: frame 0 passes once, unseen by the others."""

    def __init__(self, channels, time):
        super().__init__()
        self.resample = nn.Sequential(nn.Identity(), FrameConv(channels, channels, 3))
        if time:
            self.time_conv = CausalConv3d(channels, 2 * channels, (3, 1, 1))

    def forward(self, x):
        if hasattr(self, "time_conv") and x.shape[2] > 1:
            batch, channels, frames, rows, columns = x.shape
            pairs = self.time_conv(x[:, :, 1:]).reshape(batch, 2, channels, frames - 1, rows, columns)
            pairs = pairs.permute(0, 2, 3, 1, 4, 5).reshape(batch, channels, 2 * (frames - 1), rows, columns)
            x = torch.cat([x[:, :, :1], pairs], dim=2)
        return self.resample[1](x, doubled=True)


def add_average(y, x, time, space):
    """y plus AvgDown3D of x: blocks of (time, space, space) move behind the channel and are averaged in groups."""
    return y + x if time * space == 1 and x.shape == y.shape else fused.add_folded(y, x.to(y.dtype), time, space, True)


def add_repeated(y, x, time, space):
    """y plus DupUp3D of x: the inverse by repetition, without the first time-1 frames."""
    return fused.add_folded(y, x.to(y.dtype), time, space, False)


class DownLevel(nn.Module):
    """Residual blocks, a downsampling (unless last), and the averaging shortcut around both."""

    def __init__(self, inputs, outputs, blocks, time, space):
        super().__init__()
        layers = [ResidualBlock(inputs if i == 0 else outputs, outputs) for i in range(blocks)]
        if space:
            layers.append(Downsample(outputs, time))
        self.downsamples = nn.Sequential(*layers)
        self.time, self.space = 2 if time else 1, 2 if space else 1

    def forward(self, x):
        return add_average(self.downsamples(x), x, self.time, self.space)


class UpLevel(nn.Module):
    """Residual blocks and an upsampling with the repeating shortcut around both (neither at the last level)."""

    def __init__(self, inputs, outputs, blocks, time, space):
        super().__init__()
        layers = [ResidualBlock(inputs if i == 0 else outputs, outputs) for i in range(blocks)]
        if space:
            layers.append(Upsample(outputs, time))
        self.upsamples = nn.Sequential(*layers)
        self.time, self.space = 2 if time else 1, space

    def forward(self, x):
        y = self.upsamples(x)
        return add_repeated(y, x, self.time, 2) if self.space else y


def per_level(blocks, levels):
    """The number of residual blocks of every level: one number stands for all."""
    return [blocks] * levels if isinstance(blocks, int) else list(blocks)


class Encoder(nn.Module):
    def __init__(self, dim, z, mult, blocks):
        super().__init__()
        dims, blocks = [dim] + [dim * m for m in mult], per_level(blocks, len(mult))
        self.conv1 = CausalConv3d(12, dims[0], 3)
        self.downsamples = nn.Sequential(*[
            DownLevel(dims[i], dims[i + 1], blocks[i], time=i in (1, 2), space=i < len(mult) - 1)
            for i in range(len(mult))])
        last = dims[-1]
        self.middle = nn.Sequential(ResidualBlock(last, last), AttentionBlock(last), ResidualBlock(last, last))
        self.head = nn.Sequential(NormSilu(last), nn.Identity(), CausalConv3d(last, z, 3))

    def forward(self, x):
        return self.head[2](self.middle(self.downsamples(self.conv1(x))), norm=self.head[0])


class Decoder(nn.Module):
    def __init__(self, dim, z, mult, blocks):
        super().__init__()
        dims, blocks = [dim * m for m in [mult[-1]] + list(mult[::-1])], per_level(blocks, len(mult))
        first = dims[0]
        self.conv1 = CausalConv3d(z, first, 3)
        self.middle = nn.Sequential(ResidualBlock(first, first), AttentionBlock(first), ResidualBlock(first, first))
        self.upsamples = nn.Sequential(*[
            UpLevel(dims[i], dims[i + 1], blocks[i], time=i < 2, space=i < len(mult) - 1) for i in range(len(mult))])
        self.head = nn.Sequential(NormSilu(dims[-1]), nn.Identity(), CausalConv3d(dims[-1], 12, 3))

    def forward(self, x):
        return self.head[2](self.upsamples(self.middle(self.conv1(x))), norm=self.head[0])


def patchify(x):
    """[B, 3, T, H, W] -> [B, 12, T, H/2, W/2], channel order (c, column, row): the row is fastest."""
    batch, channels, frames, rows, columns = x.shape
    x = x.reshape(batch, channels, frames, rows // 2, 2, columns // 2, 2).permute(0, 1, 6, 4, 2, 3, 5)
    return x.reshape(batch, channels * 4, frames, rows // 2, columns // 2)


def unpatchify(x):
    """The inverse of patchify."""
    batch, channels, frames, rows, columns = x.shape
    x = x.reshape(batch, channels // 4, 2, 2, frames, rows, columns).permute(0, 1, 4, 5, 3, 6, 2)
    return x.reshape(batch, channels // 4, frames, 2 * rows, 2 * columns)


class Vae(nn.Module):
    """The whole VAE. `encode` gives the mean before normalisation; the manifest's mean and std normalise it.

    `mult` and `blocks` are the encoder's; the decoder has the same widths and one block more per level, as Wan's,
    unless dec_mult and dec_blocks say otherwise. dec_mult runs from the pixels to the latents as mult does,
    dec_blocks in the order of the decoder's levels.
    """

    def __init__(self, dim=16, dec_dim=16, z=24, mult=(1, 2, 4, 4), blocks=1, dec_mult=None, dec_blocks=None):
        super().__init__()
        self.encoder = Encoder(dim, 2 * z, mult, blocks)
        self.conv1 = CausalConv3d(2 * z, 2 * z, 1)
        self.conv2 = CausalConv3d(z, z, 1)
        self.decoder = Decoder(dec_dim, z, dec_mult or mult, dec_blocks or blocks + 1)
        self.start_weights()

    def start_weights(self):
        """Starts as a pyramid of averages and repetitions that knows no past: residual branches add nothing yet,
        convolutions look at the present frame only, time resampling passes frames on."""
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, nn.Conv3d):
                    nn.init.zeros_(module.bias)
                    if module.kernel_size == (3, 3, 3):
                        present = module.weight[:, :, 2]
                        module.weight.zero_()
                        module.weight[:, :, 2] = nn.init.kaiming_uniform_(present.clone(), a=5**0.5) * 1.7
                if isinstance(module, ResidualBlock):
                    module.residual[6].weight.mul_(0.1)
                if isinstance(module, (Downsample, Upsample)) and hasattr(module, "time_conv"):
                    weight = module.time_conv.weight.zero_()[:, :, :, 0, 0]
                    same = torch.eye(weight.shape[1])
                    if isinstance(module, Downsample):
                        weight[:, :, 1], weight[:, :, 2] = 0.5 * same, 0.5 * same
                    else:
                        weight[:, :, 2] = torch.cat([same, same])

    def moments(self, video):
        """[B, 3, 4n+1, H, W] -> (mean, log variance), each [B, z, n+1, H/16, W/16]."""
        return self.conv1(self.encoder(patchify(video))).chunk(2, dim=1)

    def encode(self, video):
        return self.moments(video)[0]

    def decode(self, latent):
        """[B, z, n+1, h, w] -> [B, 3, 4n+1, 16h, 16w], not clamped."""
        return unpatchify(self.decoder(self.conv2(latent)))


# Tabletop's releases: v0 is in config/models/tabletop, v1w in tools/train/release; v1 was between them.
FORMS = {
    "v0": {},
    "v1": {"z": 48, "blocks": (1, 1, 2, 2), "dec_mult": (1, 2, 4, 8), "dec_blocks": (2, 3, 2, 2)},
    "v1w": {"z": 48, "blocks": (3, 3, 2, 2), "dec_dim": 8, "dec_mult": (3, 4, 8, 16), "dec_blocks": (2, 3, 2, 2)},
}


def decoder_cost(model, frames=33, rows=6, columns=10):
    """Multiply-adds of the decoder's convolutions per pixel and frame of a clip."""
    total = []

    def count(layer, _, made):
        total.append(layer.weight[0].numel() * made.numel())

    hooks = [m.register_forward_hook(count) for m in model.decoder.modules() if isinstance(m, (nn.Conv3d, nn.Conv2d))]
    with torch.no_grad(), torch.autocast("cpu", enabled=False):  # blocks are one function under autocast
        made = model.decode(torch.zeros(1, model.conv2.weight.shape[0], (frames + 3) // 4, rows, columns))
    for hook in hooks:
        hook.remove()
    return sum(total) / (made.numel() / 3)
