"""The causal video VAE of Wan 2.2 in its whole-sequence form, with the official tensor names.

A clip [B, 3, 4n+1, H, W] in -1..1 becomes latents [B, z, n+1, H/16, W/16] and back. Whole sequence means: no
chunks and no caches, which gives exactly what the chunked original gives (causal convolutions see two zero
frames in front; frame 0 passes the time resampling on its own).
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from tabletop import fused


class RmsNorm(nn.Module):
    """x / max(|x|, 1e-12) * sqrt(C) * gamma over the channels of images."""

    def __init__(self, channels):
        super().__init__()
        self.scale = channels**0.5
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x):
        length = x.float().pow(2).sum(1, keepdim=True).clamp_min(1e-24).rsqrt()
        return x * (length * self.scale).to(x.dtype) * self.gamma.to(x.dtype)


class NormSilu(nn.Module):
    """RmsNorm and SiLU in one pass over memory."""

    def __init__(self, channels):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1, 1))

    def forward(self, x):
        return fused.norm_silu(x, self.gamma)


class CausalConv3d(nn.Conv3d):
    """Pads time on the left only, with zeros; space as configured."""

    def __init__(self, inputs, outputs, kernel, padding=0):
        super().__init__(inputs, outputs, kernel, padding=padding)
        (time, rows, columns), self.padding = self.padding, (0, 0, 0)
        self.border = (columns, columns, rows, rows, 2 * time, 0)

    def forward(self, x):
        return super().forward(F.pad(x, self.border))


class ResidualBlock(nn.Module):
    """norm, SiLU, conv, norm, SiLU, conv, plus the input (through a 1x1x1 conv where widths differ)."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.residual = nn.Sequential(
            NormSilu(inputs), nn.Identity(), CausalConv3d(inputs, outputs, 3, padding=1),
            NormSilu(outputs), nn.Identity(), nn.Identity(), CausalConv3d(outputs, outputs, 3, padding=1))
        self.shortcut = CausalConv3d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x):
        return self.shortcut(x) + self.residual(x)


class AttentionBlock(nn.Module):
    """One-head attention inside every frame."""

    def __init__(self, channels):
        super().__init__()
        self.norm = RmsNorm(channels)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.proj.weight)

    def forward(self, x):
        batch, channels, frames, rows, columns = x.shape
        y = x.transpose(1, 2).reshape(batch * frames, channels, rows, columns)
        q, k, v = self.to_qkv(self.norm(y)).flatten(2).transpose(1, 2).chunk(3, dim=-1)
        weights = torch.softmax((q @ k.transpose(1, 2)).float() * channels**-0.5, dim=-1).to(v.dtype)
        y = (weights @ v).transpose(1, 2).reshape(batch * frames, channels, rows, columns)
        return x + self.proj(y).reshape(batch, frames, channels, rows, columns).transpose(1, 2)


def per_frame(layer, x):
    """Runs a 2D layer on every frame of [B, C, T, H, W]."""
    batch, channels, frames, rows, columns = x.shape
    y = layer(x.transpose(1, 2).reshape(batch * frames, channels, rows, columns))
    return y.reshape(batch, frames, *y.shape[1:]).transpose(1, 2)


class Downsample(nn.Module):
    """Halves space; with `time` also 2k+1 frames to k+1: frame 0 passes, then every second one with its past."""

    def __init__(self, channels, time):
        super().__init__()
        self.resample = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(channels, channels, 3, stride=2))
        if time:
            self.time_conv = nn.Conv3d(channels, channels, (3, 1, 1), stride=(2, 1, 1))

    def forward(self, x):
        x = per_frame(self.resample, x)
        if not hasattr(self, "time_conv") or x.shape[2] == 1:
            return x
        return torch.cat([x[:, :, :1], self.time_conv(x)], dim=2)


class Upsample(nn.Module):
    """Doubles space; with `time` also k+1 frames to 2k+1: frame 0 passes once, unseen by the others."""

    def __init__(self, channels, time):
        super().__init__()
        self.resample = nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"),
                                      nn.Conv2d(channels, channels, 3, padding=1))
        if time:
            self.time_conv = CausalConv3d(channels, 2 * channels, (3, 1, 1), padding=(1, 0, 0))

    def forward(self, x):
        if hasattr(self, "time_conv") and x.shape[2] > 1:
            batch, channels, frames, rows, columns = x.shape
            pairs = self.time_conv(x[:, :, 1:]).reshape(batch, 2, channels, frames - 1, rows, columns)
            pairs = pairs.permute(0, 2, 3, 1, 4, 5).reshape(batch, channels, 2 * (frames - 1), rows, columns)
            x = torch.cat([x[:, :, :1], pairs], dim=2)
        return per_frame(self.resample, x)


def average_down(x, outputs, time, space):
    """AvgDown3D: blocks of (time, space, space) move behind the channel and are averaged in groups."""
    batch, channels, frames, rows, columns = x.shape
    x = F.pad(x, (0, 0, 0, 0, -frames % time, 0))
    x = x.reshape(batch, channels, x.shape[2] // time, time, rows // space, space, columns // space, space)
    x = x.permute(0, 1, 3, 5, 7, 2, 4, 6)
    return x.reshape(batch, outputs, -1, *x.shape[5:]).mean(2)


def repeat_up(x, outputs, time, space):
    """DupUp3D: the inverse by repetition; drops the first time-1 frames."""
    batch, channels, frames, rows, columns = x.shape
    x = x.repeat_interleave(outputs * time * space * space // channels, dim=1)
    x = x.reshape(batch, outputs, time, space, space, frames, rows, columns).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(batch, outputs, frames * time, rows * space, columns * space)[:, :, time - 1:]


class DownLevel(nn.Module):
    """Residual blocks, a downsampling (unless last), and the averaging shortcut around both."""

    def __init__(self, inputs, outputs, blocks, time, space):
        super().__init__()
        layers = [ResidualBlock(inputs if i == 0 else outputs, outputs) for i in range(blocks)]
        if space:
            layers.append(Downsample(outputs, time))
        self.downsamples = nn.Sequential(*layers)
        self.outputs, self.time, self.space = outputs, 2 if time else 1, 2 if space else 1

    def forward(self, x):
        return self.downsamples(x) + average_down(x, self.outputs, self.time, self.space)


class UpLevel(nn.Module):
    """Residual blocks and an upsampling with the repeating shortcut around both (neither at the last level)."""

    def __init__(self, inputs, outputs, blocks, time, space):
        super().__init__()
        layers = [ResidualBlock(inputs if i == 0 else outputs, outputs) for i in range(blocks)]
        if space:
            layers.append(Upsample(outputs, time))
        self.upsamples = nn.Sequential(*layers)
        self.outputs, self.time, self.space = outputs, 2 if time else 1, space

    def forward(self, x):
        y = self.upsamples(x)
        return y + repeat_up(x, self.outputs, self.time, 2) if self.space else y


def per_level(blocks, levels):
    """The number of residual blocks of every level: one number stands for all."""
    return [blocks] * levels if isinstance(blocks, int) else list(blocks)


class Encoder(nn.Module):
    def __init__(self, dim, z, mult, blocks):
        super().__init__()
        dims, blocks = [dim] + [dim * m for m in mult], per_level(blocks, len(mult))
        self.conv1 = CausalConv3d(12, dims[0], 3, padding=1)
        self.downsamples = nn.Sequential(*[
            DownLevel(dims[i], dims[i + 1], blocks[i], time=i in (1, 2), space=i < len(mult) - 1)
            for i in range(len(mult))])
        last = dims[-1]
        self.middle = nn.Sequential(ResidualBlock(last, last), AttentionBlock(last), ResidualBlock(last, last))
        self.head = nn.Sequential(NormSilu(last), nn.Identity(), CausalConv3d(last, z, 3, padding=1))

    def forward(self, x):
        return self.head(self.middle(self.downsamples(self.conv1(x))))


class Decoder(nn.Module):
    def __init__(self, dim, z, mult, blocks):
        super().__init__()
        dims, blocks = [dim * m for m in [mult[-1]] + list(mult[::-1])], per_level(blocks, len(mult))
        first = dims[0]
        self.conv1 = CausalConv3d(z, first, 3, padding=1)
        self.middle = nn.Sequential(ResidualBlock(first, first), AttentionBlock(first), ResidualBlock(first, first))
        self.upsamples = nn.Sequential(*[
            UpLevel(dims[i], dims[i + 1], blocks[i], time=i < 2, space=i < len(mult) - 1) for i in range(len(mult))])
        self.head = nn.Sequential(NormSilu(dims[-1]), nn.Identity(), CausalConv3d(dims[-1], 12, 3, padding=1))

    def forward(self, x):
        return self.head(self.upsamples(self.middle(self.conv1(x))))


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


# Tabletop's releases: v0 is in config/models/tabletop, v1 in tools/train/release; v1w is being trained.
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
    with torch.no_grad():
        made = model.decode(torch.zeros(1, model.conv2.weight.shape[0], (frames + 3) // 4, rows, columns))
    for hook in hooks:
        hook.remove()
    return sum(total) / (made.numel() / 3)
