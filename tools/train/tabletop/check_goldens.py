"""Compares our modules with golden files of the official code, and the fused row operations and their gradients with
PyTorch's own: one line per output, exit 1 on a miss."""

import json
import sys

import torch

from tabletop import fused, safetensors_io
from tabletop.text import TextEncoder
from tabletop.transformer import Transformer
from tabletop.vae import Vae


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


CHECKS = {"vae22": check_vae22, "dit_t2v": check_dit, "umt5": check_umt5}


def main(paths):
    misses = []
    check_fused(misses)
    with torch.no_grad():
        for path in paths:
            tensors, metadata = safetensors_io.load(path)
            config = json.loads(metadata["config"])
            CHECKS[metadata["kind"]](tensors, config, misses)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
