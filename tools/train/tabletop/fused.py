"""The row operations of fused.cpp as differentiable functions. The library is compiled once, for this machine.

Inputs of products come out in bfloat16 under autocast and in float32 without it; the residual stream is float32.
"""

import ctypes
import os
import subprocess
import tempfile

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", "..", ".."))  # of the repository


def library(source):
    """Compiles a source of this folder into the user's cache folder, unless what is there is newer than it and all
    headers."""
    name = os.path.splitext(source)[0]
    sources = [os.path.join(HERE, file) for file in os.listdir(HERE) if file == source or file.endswith(".h")]
    folder = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "rushes")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"tabletop_{name}.so")
    if not os.path.exists(path) or os.path.getmtime(path) < max(os.path.getmtime(file) for file in sources):
        with tempfile.TemporaryDirectory(dir=folder) as part:
            # Two steps: linking with -ffast-math would change how the whole process rounds denormals.
            compiled, linked = os.path.join(part, "part.o"), os.path.join(part, "part.so")
            subprocess.run(["g++", "-std=c++17", "-O3", "-march=native", "-ffast-math", "-mprefer-vector-width=512",
                            "-fPIC", "-I", ROOT, "-c", "-o", compiled, os.path.join(HERE, source)], check=True)
            subprocess.run(["g++", "-shared", "-o", linked, compiled, "-lm"], check=True)
            os.rename(linked, path)
    return ctypes.CDLL(path)


LIBRARY = library("fused.cpp")


def call(name, kind, *arguments):
    """Runs `name` for tensors of dtype `kind`; tensors become pointers (None is a null pointer)."""
    def passed(a):
        if a is None or torch.is_tensor(a):
            return ctypes.c_void_p(None if a is None else a.data_ptr())
        if isinstance(a, ctypes.Structure):
            return ctypes.byref(a)
        return ctypes.c_float(a) if isinstance(a, float) else ctypes.c_long(a)

    getattr(LIBRARY, f"{name}_{'bf16' if kind == torch.bfloat16 else 'f32'}")(*map(passed, arguments))


def product_dtype():
    return torch.bfloat16 if torch.is_autocast_cpu_enabled() else torch.float32


class NormModulate(torch.autograd.Function):
    """x [B, L, dim] float32; scale, shift [B, dim], or [1, dim] for all. LayerNorm(x) * (1 + scale) + shift."""

    @staticmethod
    def forward(ctx, x, scale, shift):
        x, scale, shift = x.contiguous(), scale.contiguous(), shift.contiguous()
        rows, dim = x.shape[0] * x.shape[1], x.shape[2]
        y, statistics = torch.empty_like(x, dtype=product_dtype()), torch.empty(rows, 2)
        call("norm_modulate", y.dtype, x, scale, shift, y, statistics, rows, rows // len(scale), dim)
        ctx.save_for_backward(x, scale, statistics)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, scale, statistics = ctx.saved_tensors
        rows, dim = len(statistics), x.shape[2]
        dx, dscale, dshift = torch.empty_like(x), torch.zeros_like(scale), torch.zeros_like(scale)
        call("norm_modulate_back", dy.dtype, dy.contiguous(), x, statistics, scale, dx, dscale, dshift, rows,
             rows // len(scale), dim)
        return dx, dscale, dshift


class GateAdd(torch.autograd.Function):
    """x [B, L, dim] float32 + y (any dtype) * gate [B, dim]."""

    @staticmethod
    def forward(ctx, x, y, gate):
        x, y, gate = x.contiguous(), y.contiguous(), gate.contiguous()
        rows, dim, out = x.shape[0] * x.shape[1], x.shape[2], torch.empty_like(x)
        call("gate_add", y.dtype, x, y, gate, out, rows, rows // len(gate), dim)
        ctx.save_for_backward(y, gate)
        return out

    @staticmethod
    def backward(ctx, dout):
        y, gate = ctx.saved_tensors
        rows, dim = y.shape[0] * y.shape[1], y.shape[2]
        dy, dgate = torch.empty_like(y), torch.zeros_like(gate)
        call("gate_add_back", y.dtype, dout.contiguous(), y, gate, dy, dgate, rows, rows // len(gate), dim)
        return dout, dy, dgate


class Heads(torch.autograd.Function):
    """RMSNorm over all heads together, split, RoPE (table None: none): [B, L, dim] -> [B, heads, L, dim / heads]."""

    @staticmethod
    def forward(ctx, x, weight, cosine, sine, count):
        x = x.contiguous()
        batch, length, dim = x.shape
        out, inverses = torch.empty(batch, count, length, dim // count, dtype=x.dtype), torch.empty(batch * length)
        call("heads", x.dtype, x, weight, cosine, sine, out, inverses, batch, length, count, dim // count)
        ctx.save_for_backward(x, weight, inverses)
        ctx.table, ctx.count = (cosine, sine), count
        return out

    @staticmethod
    def backward(ctx, dout):
        x, weight, inverses = ctx.saved_tensors
        batch, length, dim = x.shape
        dx, dweight = torch.empty_like(x), torch.zeros_like(weight)
        call("heads_back", x.dtype, dout.contiguous(), x, weight, *ctx.table, inverses, dx, dweight, batch, length,
             ctx.count, dim // ctx.count)
        return dx, dweight, None, None, None


class Gelu(torch.autograd.Function):
    """tanh GELU."""

    @staticmethod
    def forward(ctx, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        call("gelu", x.dtype, x, y, x.numel())
        ctx.save_for_backward(x)
        return y

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        dx = torch.empty_like(x)
        call("gelu_back", x.dtype, dy.contiguous(), x, dx, x.numel())
        return dx


class NormSilu(torch.autograd.Function):
    """silu(x / |x| * sqrt(C) * gamma) over the channels of videos x [B, C, T, H, W] (any dtype), which lie side by side
    in memory before and after (torch.channels_last_3d); gamma has C float32 values."""

    @staticmethod
    def forward(ctx, x, gamma):
        x = x.contiguous(memory_format=torch.channels_last_3d)
        y = torch.empty_like(x)
        call("norm_silu", x.dtype, x, gamma, y, x.numel() // x.shape[1], x.shape[1])
        ctx.save_for_backward(x, gamma)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, gamma = ctx.saved_tensors
        dx, dgamma = torch.empty_like(x), torch.empty_like(gamma)
        dy = dy.contiguous(memory_format=torch.channels_last_3d)
        call("norm_silu_back", x.dtype, dy, x, gamma, dx, dgamma, x.numel() // x.shape[1], x.shape[1])
        return dx, dgamma


class Fold(ctypes.Structure):
    """folds.h's struct of the same name."""
    _fields_ = [(name, ctypes.c_long) for name in (
        "batch", "frames", "rows", "columns", "fine", "coarse", "time", "space")]

    def like(self, x, fine):
        """An empty fine or coarse video of x's dtype."""
        frames, part = ((self.frames - 1) * self.time + 1, self.space) if fine else (self.frames, 1)
        return torch.empty(self.batch, frames, self.rows * part, self.columns * part,
                           self.fine if fine else self.coarse, dtype=x.dtype).permute(0, 4, 1, 2, 3)


class AddFolded(torch.autograd.Function):
    """x + the shortcut of the level's input `y`, both videos with channels side by side. `down`: y is the fine one,
    and its values are averaged; else they are repeated."""

    @staticmethod
    def forward(ctx, x, y, time, space, down):
        x, y = (v.contiguous(memory_format=torch.channels_last_3d) for v in (x, y))
        fine, coarse = (y, x) if down else (x, y)
        ctx.fold, ctx.down = Fold(len(coarse), *coarse.shape[2:], fine.shape[1], coarse.shape[1], time, space), down
        ctx.scale = coarse.shape[1] / (fine.shape[1] * time * space * space) if down else 1.0
        out = torch.empty_like(x)
        call("fold_down" if down else "fold_up", x.dtype, ctx.fold, y, x, ctx.scale, out)
        return out

    @staticmethod
    def backward(ctx, dout):
        dout = dout.contiguous(memory_format=torch.channels_last_3d)
        dy = ctx.fold.like(dout, fine=ctx.down)
        call("fold_up" if ctx.down else "fold_down", dout.dtype, ctx.fold, dout, None, ctx.scale, dy)
        return dout, dy, None, None, None


norm_modulate, gate_add, heads, gelu = NormModulate.apply, GateAdd.apply, Heads.apply, Gelu.apply
norm_silu, add_folded = NormSilu.apply, AddFolded.apply
