"""Compares conv.py with PyTorch's own convolutions in double precision, the levels' shortcuts and the loss with their
plain forms, and the training's gradients of the whole VAE with those in float32."""

import torch
import torch.nn.functional as F

from tabletop import conv, fused, vae_losses
from tabletop.vae import FORMS, Vae

# kernel, step in time, step in space, doubled
KERNELS = [((3, 3, 3), 1, 1, False), ((1, 3, 3), 1, 1, False), ((3, 1, 1), 1, 1, False), ((1, 1, 1), 1, 1, False),
           ((1, 3, 3), 1, 2, False), ((3, 1, 1), 2, 1, False), ((1, 3, 3), 1, 1, True)]
# batch, inputs, outputs, frames, rows, columns
SIZES = [(1, 12, 16, 5, 3, 1), (2, 16, 12, 3, 2, 2), (1, 24, 32, 1, 5, 3), (2, 32, 24, 9, 4, 4), (3, 48, 64, 1, 4, 4),
         (2, 64, 96, 3, 8, 8), (1, 128, 128, 5, 4, 4), (2, 24, 24, 3, 6, 16), (1, 96, 48, 3, 4, 10),
         (2, 16, 16, 3, 7, 33),
         (1, 32, 32, 9, 16, 16), (2, 16, 24, 5, 32, 32), (1, 8, 20, 3, 5, 31), (1, 12, 16, 3, 34, 20)]


def outcome(function, tensors, weighting):
    """The value of function(*tensors) and the gradients of its product with `weighting`."""
    leaves = [t.clone().requires_grad_() for t in tensors]
    y = function(*leaves)
    y.backward(weighting.to(y.dtype))
    return [y.detach().double()] + [leaf.grad.double() for leaf in leaves]


def compare(kernel, steps, size, compared):
    """Adds (ours, the truth) to `compared`, a list for each of value and gradients."""
    batch, inputs, outputs, frames, rows, columns = size
    x = torch.randn(batch, inputs, frames, rows, columns).bfloat16()
    weight = (torch.randn(outputs, inputs, *kernel) / (inputs * 9)**0.5).bfloat16().float()
    bias = torch.randn(outputs)
    with torch.no_grad():
        shape = conv.plain(x.double(), weight.double(), bias.double(), *steps).shape
    residual, weighting = torch.randn(shape).bfloat16(), torch.randn(shape).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = outcome(lambda x, w, b, r: conv.conv(x, w, b, *steps, residual=r), (x, weight, bias, residual),
                       weighting)
    truth = outcome(lambda x, w, b, r: r + conv.plain(x, w, b, *steps),
                    [t.double() for t in (x, weight, bias, residual)], weighting)
    for pair in zip(compared, ours, truth):
        pair[0].append((pair[1], pair[2]))


def check_conv(report, misses):
    """With AMX and without, where there is a choice."""
    means = conv.LIBRARY.conv_means()
    if means == 2:
        check_kernels(report, misses, "conv AMX")
        conv.LIBRARY.conv_without_amx(1)
    if means > 0:
        check_kernels(report, misses, "conv vectors")
        conv.LIBRARY.conv_without_amx(0)


def check_kernels(report, misses, label):
    torch.manual_seed(6)
    for kernel, *steps in KERNELS:
        compared = [[] for _ in range(5)]
        for size in SIZES:
            frames, rows, columns = size[3:]
            if (steps[0] == 2 and (frames < 3 or frames % 2 == 0)) or (steps[1] == 2 and (rows % 2 or columns % 2)):
                continue
            compare(kernel, steps, size, compared)
        limits = {"value": 4e-3, "dx": 4e-3, "dweight": 1e-5, "dbias": 1e-5, "dresidual": 1e-9}
        for (what, limit), pairs in zip(limits.items(), compared):
            ours, truth = max(pairs, key=lambda pair: ((pair[0] - pair[1]).norm() / pair[1].norm()).item())
            report(f"{label} {'x'.join(map(str, kernel))} steps {steps} {what}, worst of {len(pairs)}", ours, truth,
                   limit, misses)


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


def check_folds(report, misses):
    """The levels' shortcuts and the loss, with their gradients."""
    torch.manual_seed(9)
    for time, fine, coarse, frames in ((2, 12, 24, 5), (1, 16, 16, 3), (2, 16, 16, 1), (1, 24, 48, 2)):
        big, small = torch.randn(2, fine, frames, 8, 6), torch.randn(2, coarse, (frames - 1) // time + 1, 4, 3)
        for name, x, y, down, plain in (("averages", small, big, True, average_down),
                                        ("repeats", big, small, False, repeat_up)):
            weighting = torch.randn_like(x)
            ours = outcome(lambda a, b: fused.add_folded(a, b, time, 2, down), (x, y), weighting)
            truth = outcome(lambda a, b: a + plain(b, a.shape[1], time, 2), (x, y), weighting)
            for what, a, b in zip(("value", "dx", "dy"), ours, truth):
                report(f"fold {name} {time} {fine} {coarse} {what}", a, b, 1e-6, misses)
    for size in ((2, 3, 17, 64, 48), (3, 3, 1, 32, 64)):
        made, truth = torch.rand(size) * 1.2 - 0.6, torch.rand(size) * 1.2 - 0.6
        truth[:, :, :, 20:] = truth[:, :, :1, 20:]  # stands still
        made = truth + 0.05 * made
        sides = [outcome(lambda m: f(m, truth), (made,), torch.tensor(2.0))
                 for f in (vae_losses.distortion, vae_losses.distortion_plain)]
        for what, a, b in zip(("value", "gradient"), *sides):
            report(f"loss of {size[2]} frames {what}", a, b, 2e-3, misses)  # signs of sums near 0 may differ


def gradients(model, video, autocast, enabled):
    """Those of the training's loss, with our convolutions or PyTorch's; the same noise every time."""
    before, conv.ENABLED = conv.ENABLED, conv.ENABLED and enabled
    torch.manual_seed(8)
    for parameter in model.parameters():
        parameter.grad = None
    vae_losses.losses(model, video, 1e-4, autocast=autocast)[0].backward()
    conv.ENABLED = before
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def distance(ours, truth):
    """1 - cosine."""
    return 1 - (torch.dot(ours.flatten(), truth.flatten()) / (ours.norm() * truth.norm())).item()


def check_gradients(misses):
    """Of every large tensor: as near to float32's as PyTorch's bfloat16 is, where that is near."""
    torch.manual_seed(7)
    model = Vae(**FORMS["v1w"])
    for block in model.modules():  # branches that a fresh VAE leaves near zero take part
        if isinstance(block, torch.nn.Conv3d):
            torch.nn.init.normal_(block.weight, std=0.7 * block.weight[0].numel() ** -0.5)
    for frames in (9, 1):
        video = F.interpolate(torch.rand(2, 3, frames, 8, 8) - 0.5, scale_factor=(1, 8, 8),
                                                mode="trilinear") + 0.02 * torch.randn(2, 3, frames, 64, 64)
        truth = gradients(model, video, False, False)
        theirs, ours = gradients(model, video, True, False), gradients(model, video, True, True)
        large = [name for name, value in truth.items() if value.numel() >= 1000 and value.norm() > 0]
        pairs = [(distance(ours[n], truth[n]), distance(theirs[n], truth[n]), n) for n in large]
        for our, their, name in pairs:
            if our > max(1e-3, 1.5 * their):
                print(f"gradient of {name}, {frames} frames: 1 - cosine {our:.1e}, PyTorch's {their:.1e} (MISS)")
                misses.append(name)
        print(f"gradients of {len(large)} tensors, {frames} frames: largest 1 - cosine to float32's {max(pairs)[0]:.1e}"
              f", PyTorch's bfloat16 {max(p[1] for p in pairs):.1e}; median {sorted(pairs)[len(pairs) // 2][0]:.1e}, "
              f"{sorted(p[1] for p in pairs)[len(pairs) // 2]:.1e}")
