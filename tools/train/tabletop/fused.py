"""The row operations of fused.cpp as differentiable functions. The library is compiled once, for this machine.

Inputs of products come out in bfloat16 under autocast and in float32 without it; the residual stream is float32.
"""

import ctypes
import os
import subprocess
import tempfile

import torch

HERE = os.path.dirname(os.path.abspath(__file__))


def library():
    """Compiles fused.cpp into the user's cache folder, unless what is there is newer than the source."""
    source = os.path.join(HERE, "fused.cpp")
    folder = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "rushes")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "tabletop_fused.so")
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(source):
        with tempfile.TemporaryDirectory(dir=folder) as part:
            # Two steps: linking with -ffast-math would change how the whole process rounds denormals.
            compiled, linked = os.path.join(part, "fused.o"), os.path.join(part, "fused.so")
            subprocess.run(["g++", "-O3", "-march=native", "-ffast-math", "-mprefer-vector-width=512", "-fPIC", "-c",
                            "-o", compiled, source], check=True)
            subprocess.run(["g++", "-shared", "-o", linked, compiled, "-lm"], check=True)
            os.rename(linked, path)
    return ctypes.CDLL(path)


LIBRARY = library()


def call(name, kind, *arguments):
    """Runs `name` for tensors of dtype `kind`; tensors become pointers (None is a null pointer)."""
    function = getattr(LIBRARY, f"{name}_{'bf16' if kind == torch.bfloat16 else 'f32'}")
    pointer = ctypes.c_void_p
    function(*[pointer(a.data_ptr()) if torch.is_tensor(a) else pointer() if a is None else ctypes.c_long(a)
               for a in arguments])


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
    """silu(x / |x| * sqrt(C) * gamma) over the channels of x [B, C, ...] (any dtype); gamma has C float32 values."""

    @staticmethod
    def forward(ctx, x, gamma):
        x = x.contiguous()
        y = torch.empty_like(x)
        call("norm_silu", x.dtype, x, gamma, y, len(x), x.shape[1], x[0, 0].numel())
        ctx.save_for_backward(x, gamma)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, gamma = ctx.saved_tensors
        dx, dgamma = torch.empty_like(x), torch.zeros_like(gamma)
        call("norm_silu_back", x.dtype, dy.contiguous(), x, gamma, dx, dgamma, len(x), x.shape[1], x[0, 0].numel())
        return dx, dgamma


norm_modulate, gate_add, heads, gelu = NormModulate.apply, GateAdd.apply, Heads.apply, Gelu.apply
norm_silu = NormSilu.apply
