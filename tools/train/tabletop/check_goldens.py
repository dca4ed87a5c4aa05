"""Compares our modules with golden files of the official code, the fused row operations and convolutions and their
gradients with PyTorch's own, a widened VAE with the one it came from, and losses with faults of known size: one line
per output, exit 1 on a miss."""

import json
import sys

import torch

from tabletop import fused, safetensors_io, vae_losses
from tabletop.check_conv import check_conv, check_folds, check_gradients
from tabletop.muon import orthogonalise
from tabletop.text import TextEncoder
from tabletop.transformer import Transformer
from tabletop.vae import FORMS, Vae
from tabletop.widen import grow, widen


def report(name, ours, truth, limit, misses):
    error = ((ours - truth).norm() / truth.norm()).item()
    print(f"{name}: rel L2 {error:.2e} ({'ok' if error <= limit else 'MISS'}, limit {limit:.0e})")
    if not error <= limit:
        misses.append(name)


def weights(tensors):
    return {k: v for k, v in tensors.items() if k.split(".")[0] not in ("in", "out", "mid")}


def check_dit(tensors, config, misses):
    out_dim = tensors["out.v"].shape[0]
    model = Transformer(tensors["patch_embedding.weight"].shape[1], out_dim, config["dim"], config["ffn_dim"],
                        config["num_heads"], config["num_layers"], config["text_dim"])
    model.load_state_dict(weights(tensors))
    context = tensors["in.context"]
    context = torch.nn.functional.pad(context, (0, 0, 0, config["text_len"] - context.shape[0]))
    report("dit v", model(tensors["in.x"][None], tensors["in.t"], context[None])[0], tensors["out.v"], 1e-5, misses)


def check_umt5(tensors, config, misses):
    model = TextEncoder(config["vocab"], config["dim"], config["dim_attn"], config["dim_ffn"], config["num_heads"],
                        config["num_layers"])
    model.load_state_dict(weights(tensors))
    lengths = tensors["in.mask"].sum(1)
    hidden = model(tensors["in.ids"], lengths)
    for i, length in enumerate(lengths):
        report(f"umt5 context {i}", hidden[i, :length], tensors[f"out.context{i}"], 1e-5, misses)


def check_vae22(tensors, config, misses):
    model = Vae(config["dim"], config["dec_dim"], config["z_dim"], config["dim_mult"], config["num_res_blocks"])
    model.load_state_dict(weights(tensors))
    mean, std = (tensors[k].view(1, -1, 1, 1, 1) for k in ("in.mean", "in.std"))
    video = tensors["in.video"][None]
    report("vae22 latent", ((model.encode(video) - mean) / std)[0], tensors["out.latent"], 1e-4, misses)
    first = torch.cat([video[:, :, :1], torch.zeros_like(video[:, :, 1:])], dim=2)
    report("vae22 image then zeros", ((model.encode(first) - mean) / std)[0],
           tensors["out.latent_image_then_zeros"], 1e-4, misses)
    latent = tensors["in.latent"][None]
    report("vae22 video", model.decode(latent * std + mean)[0], tensors["out.video_raw"], 1e-4, misses)
    single = model.decode(latent[:, :, :1] * std + mean)[0]
    report("vae22 single", single, tensors["out.video_single_raw"], 1e-4, misses)


def plain_heads(x, gain, cosine, sine, count):
    y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * gain
    y = y.unflatten(-1, (count, -1)).transpose(1, 2)
    even, odd = y[..., 0::2], y[..., 1::2]
    return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1).flatten(-2)


def check_fused(misses):
    torch.manual_seed(3)
    x, y = torch.randn(2, 5, 32), torch.randn(2, 5, 32)
    scale, shift, gain, angle = torch.randn(2, 32), torch.randn(2, 32), torch.randn(32), torch.randn(5, 8)
    cases = {
        "norm_modulate": (fused.norm_modulate, lambda a, s, b: torch.nn.functional.layer_norm(
            a, a.shape[-1:], eps=1e-6) * (1 + s[:, None]) + b[:, None], (x, scale, shift)),
        "gate_add": (fused.gate_add, lambda a, b, g: a + b * g[:, None], (x, y, scale)),
        "heads": (lambda a, g: fused.heads(a, g, angle.cos(), angle.sin(), 2),
                  lambda a, g: plain_heads(a, g, angle.cos(), angle.sin(), 2), (x, gain)),
        "gelu": (fused.gelu, lambda a: 0.5 * a * (1 + torch.tanh(0.7978845608028654 * (a + 0.044715 * a**3))), (x,)),
        "norm_silu": (fused.norm_silu, lambda a, g: torch.nn.functional.silu(
            a / a.norm(dim=1, keepdim=True) * a.shape[1] ** 0.5 * g.view(-1, 1, 1, 1)),
                      (x.transpose(1, 2)[..., None, None], gain)),
    }
    for name, (ours, plain, inputs) in cases.items():
        sides = []
        for function in (ours, plain):
            leaves = [i.clone().requires_grad_() for i in inputs]
            out = function(*leaves)
            (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
            sides.append([out.detach()] + [leaf.grad for leaf in leaves])
        for what, (a, b) in zip(("value", "gradient 0", "gradient 1", "gradient 2"), zip(*sides)):
            report(f"fused {name} {what}", a, b, 1e-5, misses)


def check_widen(misses):
    """The wide VAE gives v0's latents first, and v0's pixels where the new latents are silent."""
    torch.manual_seed(4)
    old = Vae()
    for block in old.modules():  # branches that a fresh VAE leaves near zero take part
        if isinstance(block, torch.nn.Conv3d):
            torch.nn.init.normal_(block.weight, std=0.7 * block.weight[0].numel() ** -0.5)
    wide = widen(old.state_dict())
    video = torch.rand(1, 3, 9, 32, 32) * 2 - 1
    latent = old.encode(video)
    report("widen latent", wide.encode(video)[:, :24], latent, 1e-5, misses)
    silent = torch.cat([latent, torch.zeros_like(latent)], dim=1)
    report("widen video", wide.decode(silent), old.decode(latent), 1e-5, misses)


def check_grow(misses):
    """The wider VAE gives v1's latents and pixels."""
    torch.manual_seed(5)
    old = Vae(**FORMS["v1"])
    for block in old.modules():
        if isinstance(block, torch.nn.Conv3d):
            torch.nn.init.normal_(block.weight, std=0.7 * block.weight[0].numel() ** -0.5)
    wide = grow(old.state_dict())
    video = torch.rand(1, 3, 9, 32, 32) * 2 - 1
    latent = old.encode(video)
    report("grow latent", wide.encode(video), latent, 1e-5, misses)
    report("grow video", wide.decode(latent), old.decode(latent), 1e-5, misses)


def check_losses(misses):
    """A wave of 2 pixels, lines on the latents' grid and a flash are measured at their size."""
    row, frame = torch.arange(64).view(1, 1, 1, -1, 1), torch.arange(17).view(1, 1, -1, 1, 1)
    still = torch.zeros(1, 3, 17, 64, 64)
    cases = {
        "ripple": (vae_losses.ripple(still + 0.01 * (1 - 2.0 * (row % 2))), 0.01 / 3),
        "pattern": (vae_losses.pattern(still + 0.001 * (row % 16 == 0)).abs().sum((2, 3, 4)).mean(), 0.001 * 4 * 16),
        "flicker": (vae_losses.flicker(still + 0.02 * (frame % 2), still), 0.02 * 3 / (3 + 1e-3)),
    }
    for name, (ours, known) in cases.items():
        report(f"loss {name}", ours.view(1), torch.tensor([known]), 1e-3, misses)


def check_orthogonalise(misses):
    """The steps on the small matrices give what the same steps on the large one give."""
    torch.manual_seed(5)
    x = torch.randn(1, 8, 40)
    y = x / x.norm()
    for _ in range(5):
        gram = y @ y.transpose(1, 2)
        y = 3.4445 * y + (-4.7750 * gram + 2.0315 * gram @ gram) @ y
    report("orthogonalise", orthogonalise(x), y, 1e-4, misses)


CHECKS = {"vae22": check_vae22, "dit_t2v": check_dit, "umt5": check_umt5}


def main(paths):
    misses = []
    check_fused(misses)
    check_conv(report, misses)
    check_folds(report, misses)
    check_gradients(misses)
    with torch.no_grad():
        check_widen(misses)
        check_grow(misses)
        check_losses(misses)
        check_orthogonalise(misses)
        for path in paths:
            tensors, metadata = safetensors_io.load(path)
            config = json.loads(metadata["config"])
            CHECKS[metadata["kind"]](tensors, config, misses)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
