"""Convolutions of the VAE in bfloat16 through conv.cpp, where this machine has the instructions.

Videos are [B, C, T, H, W] whose channels lie side by side in memory (torch.channels_last_3d); weights, biases and
their gradients are float32. Without the instructions, or outside autocast, PyTorch's own convolution runs.
"""

import ctypes

import torch
import torch.nn.functional as F

from tabletop.fused import library, norm_silu

LIBRARY = library("conv.cpp")
LIBRARY.conv_means.restype = ctypes.c_long
ENABLED = LIBRARY.conv_means() > 0  # checks turn it off to compare
if ENABLED:
    LIBRARY.conv_grid.restype = ctypes.c_long


class Sizes(ctypes.Structure):
    """conv_grid.h's struct of the same name."""
    _fields_ = [(name, ctypes.c_long) for name in (
        "batch", "frames", "rows", "columns", "inputs", "outputs", "time", "high", "wide", "step_time", "step_space",
        "doubled")]


def run(name, sizes, *tensors):
    getattr(LIBRARY, name)(ctypes.byref(sizes), *[ctypes.c_void_p(None if t is None else t.data_ptr())
                                                  for t in tensors])


def side_by_side(x):
    return x.contiguous(memory_format=torch.channels_last_3d)


def empty(batch, frames, rows, columns, channels):
    """A bfloat16 video."""
    return torch.empty(batch, frames, rows, columns, channels, dtype=torch.bfloat16).permute(0, 4, 1, 2, 3)


def forward(x, gamma, weight, bias, residual=None, step_time=1, step_space=1, doubled=False):
    """The convolution of x, or of norm_silu(x, gamma) where there is a gamma, plus residual; and what `backward` needs
    besides x, gamma and weight."""
    batch, channels, frames, rows, columns = x.shape
    rows, columns = (2 * rows, 2 * columns) if doubled else (rows, columns)
    sizes = Sizes(batch, frames, rows, columns, channels, weight.shape[0], *weight.shape[2:], step_time, step_space,
                  doubled)
    grid = torch.empty(LIBRARY.conv_grid(ctypes.byref(sizes)), dtype=torch.bfloat16)
    y = empty(batch, frames if step_time == 1 else (frames - 1) // 2, rows // step_space, columns // step_space,
              weight.shape[0])
    run("conv_forward", sizes, x, gamma, weight, bias, residual, grid, y)
    return y, sizes, grid


def backward(sizes, grid, dy, x, gamma, weight, added=None, inputs=True):
    """The gradients of x (plus `added`), gamma, weight and bias; x is needed where there is a gamma."""
    s, dx = sizes, None
    if inputs:
        part = 2 if s.doubled else 1
        dx = empty(s.batch, s.frames, s.rows // part, s.columns // part, s.inputs)
    dgamma = None if gamma is None else torch.empty_like(gamma)
    dweight, dbias = torch.empty_like(weight), torch.empty(s.outputs)
    run("conv_backward", sizes, dy, grid, weight, x, gamma, added, dx, dweight, dbias, dgamma)
    return dx, dgamma, dweight, dbias


class Conv(torch.autograd.Function):
    """x, residual (or None) and the result bfloat16; gamma (or None) [inputs, ..]; weight [outputs, inputs, kt, kh,
    kw]; steps: see `conv`."""

    @staticmethod
    def forward(ctx, x, gamma, weight, bias, residual, steps):
        x, weight = side_by_side(x), weight.contiguous()
        residual = None if residual is None else side_by_side(residual)
        y, ctx.sizes, grid = forward(x, gamma, weight, bias, residual, *steps)
        ctx.save_for_backward(grid, None if gamma is None else x, gamma, weight)
        return y

    @staticmethod
    def backward(ctx, dy):
        grid, x, gamma, weight = ctx.saved_tensors
        dy = side_by_side(dy)
        inputs = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        return (*backward(ctx.sizes, grid, dy, x, gamma, weight, inputs=inputs),
                dy if ctx.needs_input_grad[4] else None, None)


class Block(torch.autograd.Function):
    """x + conv2(norm_silu(conv1(norm_silu(x)))); x goes through a 1x1x1 convolution, `shortcut`, if there is one."""

    @staticmethod
    def forward(ctx, x, gamma1, weight1, bias1, gamma2, weight2, bias2, shortcut, shortcut_bias):
        x = side_by_side(x)
        inner, ctx.sizes1, grid1 = forward(x, gamma1, weight1, bias1)
        beside, ctx.sizes3, grid3 = x, None, None
        if shortcut is not None:
            beside, ctx.sizes3, grid3 = forward(x, None, shortcut, shortcut_bias)
        y, ctx.sizes2, grid2 = forward(inner, gamma2, weight2, bias2, beside)
        ctx.save_for_backward(x, inner, grid1, grid2, grid3, gamma1, weight1, gamma2, weight2, shortcut)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, inner, grid1, grid2, grid3, gamma1, weight1, gamma2, weight2, shortcut = ctx.saved_tensors
        dy = side_by_side(dy)
        dinner, *second = backward(ctx.sizes2, grid2, dy, inner, gamma2, weight2)
        beside, third = dy, (None, None)
        if shortcut is not None:
            beside, _, *third = backward(ctx.sizes3, grid3, dy, None, None, shortcut)
        return (*backward(ctx.sizes1, grid1, dinner, x, gamma1, weight1, beside), *second, *third)


def plain(x, weight, bias, step_time=1, step_space=1, doubled=False):
    """PyTorch's own, padded in the same way."""
    if doubled:
        x = F.interpolate(x, scale_factor=(1, 2, 2))
    time, high, wide = weight.shape[2:]
    before, after = (0 if step_time == 2 else time - 1), (0 if step_space == 2 else 1)
    border = [wide // 2 * after, wide // 2, high // 2 * after, high // 2, before, 0]
    return F.conv3d(F.pad(x, border) if any(border) else x, weight, bias, (step_time, step_space, step_space))


def usable(*weights):
    """The channels that conv.cpp knows, under autocast."""
    return ENABLED and torch.is_autocast_cpu_enabled() and all(n % 4 == 0 for w in weights for n in w.shape[:2])


def conv(x, weight, bias, step_time=1, step_space=1, doubled=False, residual=None, gamma=None):
    """A convolution that sees only the past in time (zeros before frame 0) and as much on all sides in space. With
    step_space 2 its outputs are at rows and columns 1, 3, ..; with step_time 2 at frames 2, 4, ..; with `doubled` it
    sees every row and column of x twice. `residual` is added to the result; with a `gamma`, x goes through norm_silu
    first."""
    if usable(weight):
        residual = None if residual is None else residual.to(torch.bfloat16)
        return Conv.apply(x.to(torch.bfloat16), gamma, weight, bias, residual, (step_time, step_space, doubled))
    y = plain(x if gamma is None else norm_silu(x, gamma), weight, bias, step_time, step_space, doubled)
    return y if residual is None else residual + y


def block(x, norm1, conv1, norm2, conv2, shortcut):
    """A residual block of modules; `shortcut` is a convolution or the identity."""
    beside = getattr(shortcut, "weight", None)
    if usable(conv1.weight, conv2.weight):
        return Block.apply(x.to(torch.bfloat16), norm1.gamma, conv1.weight, conv1.bias, norm2.gamma, conv2.weight,
                           conv2.bias, beside, None if beside is None else shortcut.bias)
    return shortcut(x) + conv2(norm2(conv1(norm1(x))))
