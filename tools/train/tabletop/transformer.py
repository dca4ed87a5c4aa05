"""The Wan diffusion transformer with the official tensor names, for small sizes and any head width."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from tabletop import fused


def sinusoid(t, dim=256):
    """[B] timesteps 0..1000 -> [B, dim]: cosines, then sines, of t * 10000^(-i/half); fp64 as in the original."""
    half = dim // 2
    angle = t.double()[:, None] * 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    return torch.cat([angle.cos(), angle.sin()], dim=1).float()


def rope_table(grid, head_dim):
    """cos and sin [L, head_dim/2] for tokens of grid (F, H, W); pairs are split t/h/w as (rest, d/6, d/6)."""
    side = 2 * (head_dim // 6)
    tables = []
    for axis, dim in enumerate((head_dim - 2 * side, side, side)):
        frequency = 10000.0 ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
        angle = torch.arange(grid[axis], dtype=torch.float64)[:, None] * frequency
        shape = [1, 1, 1, angle.shape[1]]
        shape[axis] = grid[axis]
        tables.append(angle.reshape(shape).expand(*grid, -1))
    angle = torch.cat(tables, dim=-1).reshape(-1, head_dim // 2)
    return angle.cos().float(), angle.sin().float()


class RmsNorm(nn.Module):
    """Holds the gain; `fused.heads` applies it."""

    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))


class Gelu(nn.Module):
    def forward(self, x):
        return fused.gelu(x)


class Attention(nn.Module):
    """q, k normalised over all heads together; self attention turns them by RoPE, cross attention does not."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))
        self.norm_q, self.norm_k = RmsNorm(dim), RmsNorm(dim)

    def forward(self, x, context=None, rope=(None, None)):
        source = x if context is None else context
        q = fused.heads(self.q(x), self.norm_q.weight, *rope, self.heads)
        k = fused.heads(self.k(source), self.norm_k.weight, *rope, self.heads)
        v = self.v(source).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        weights = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, dim=-1)
        return self.o((weights.to(v.dtype) @ v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, dim, ffn_dim, heads):
        super().__init__()
        self.self_attn, self.cross_attn = Attention(dim, heads), Attention(dim, heads)
        self.norm3 = nn.LayerNorm(dim, eps=1e-6)
        self.ffn = nn.Sequential(nn.Linear(dim, ffn_dim), Gelu(), nn.Linear(ffn_dim, dim))
        self.modulation = nn.Parameter(torch.randn(1, 6, dim) / dim**0.5)

    def forward(self, x, e0, context, rope):
        """x [B, L, dim], e0 [B, 6, dim], context [B, text_len, dim]"""
        shift1, scale1, gate1, shift2, scale2, gate2 = (self.modulation + e0).unbind(1)
        x = fused.gate_add(x, self.self_attn(fused.norm_modulate(x, scale1, shift1), rope=rope), gate1)
        y = fused.norm_modulate(x, (self.norm3.weight - 1)[None], self.norm3.bias[None])
        x = x + self.cross_attn(y, context)
        return fused.gate_add(x, self.ffn(fused.norm_modulate(x, scale2, shift2)), gate2)


class Head(nn.Module):
    def __init__(self, dim, outputs):
        super().__init__()
        self.head = nn.Linear(dim, outputs)
        self.modulation = nn.Parameter(torch.randn(1, 2, dim) / dim**0.5)

    def forward(self, x, e):
        shift, scale = (self.modulation + e[:, None]).unbind(1)
        return self.head(fused.norm_modulate(x, scale, shift))


class Transformer(nn.Module):
    """Predicts v = noise - x0. x [B, in_dim, F, 2H, 2W], t [B] in 0..1000, context [B, text_len, text_dim]."""

    def __init__(self, in_dim=52, out_dim=24, dim=256, ffn_dim=1024, heads=4, layers=6, text_dim=128):
        super().__init__()
        self.out_dim, self.head_dim = out_dim, dim // heads
        self.patch_embedding = nn.Conv3d(in_dim, dim, (1, 2, 2), stride=(1, 2, 2))
        self.text_embedding = nn.Sequential(nn.Linear(text_dim, dim), Gelu(), nn.Linear(dim, dim))
        self.time_embedding = nn.Sequential(nn.Linear(256, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = nn.ModuleList([Block(dim, ffn_dim, heads) for _ in range(layers)])
        self.head = Head(dim, out_dim * 4)
        self.start_weights()

    def start_weights(self):
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.xavier_uniform_(self.patch_embedding.weight.flatten(1))
        for layer in (self.text_embedding[0], self.text_embedding[2], self.time_embedding[0], self.time_embedding[2]):
            nn.init.normal_(layer.weight, std=layer.weight.shape[1] ** -0.5 if layer.weight.shape[1] < 256 else 0.02)
        nn.init.zeros_(self.head.head.weight)

    def forward(self, x, t, context):
        batch, _, frames, rows, columns = x.shape
        grid = (frames, rows // 2, columns // 2)
        # The patch convolution as one matrix product per token: (c, 2, 2) values each.
        tokens = x.reshape(batch, -1, frames, grid[1], 2, grid[2], 2).permute(0, 2, 3, 5, 1, 4, 6)
        tokens = tokens.reshape(batch, frames * grid[1] * grid[2], -1)
        y = F.linear(tokens, self.patch_embedding.weight.flatten(1), self.patch_embedding.bias).float()
        e = self.time_embedding(sinusoid(t))
        e0 = self.time_projection(e).float().unflatten(1, (6, -1))
        context = self.text_embedding(context)
        rope = rope_table(grid, self.head_dim)
        for block in self.blocks:
            y = block(y, e0, context, rope)
        y = self.head(y, e).reshape(batch, *grid, 2, 2, self.out_dim)
        return y.permute(0, 6, 1, 2, 4, 3, 5).reshape(batch, self.out_dim, frames, rows, columns)
