"""Samples captions with a checkpoint and writes clips that the bench can measure (--clips) and people can see.

Euler over the UniPC noise levels, with classifier-free guidance: a quick look while training runs; the bench uses
the real engine.
"""

import argparse
import json

import numpy as np
import torch

from tabletop.text import Tokenizer
from tabletop.train_transformer import Model
from tabletop.vae import Vae


def noise_levels(steps, shift):
    s = np.linspace(np.float32(0.999), 0, steps + 1)
    return shift * s / (1 + (shift - 1) * s)


def sample(model, captions, steps, guidance, shift=6.0, frames=9, seed=0):
    """Normalised latents [N, z, frames, 6, 10] of the captions."""
    generator = torch.Generator().manual_seed(seed)
    z = model.transformer.out_dim
    x = torch.randn(len(captions), z, frames, 6, 10, generator=generator)
    condition = torch.zeros(len(captions), 4 + z, frames, 6, 10)
    levels = noise_levels(steps, shift)
    with torch.no_grad():
        context, null = model.context(captions), model.context([""] * len(captions))
        for now, after in zip(levels[:-1], levels[1:]):
            sigma = torch.full((len(captions),), float(now))
            v = model.velocity(x, condition, sigma, context)
            if guidance != 1:
                v_null = model.velocity(x, condition, sigma, null)
                v = v_null + guidance * (v - v_null)
            x = x + (float(after) - float(now)) * v
    return x


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--vae", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--captions", required=True, help="a .jsonl file of tabletop-clips: its full captions are used")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--out", required=True, help="raw codes; FILE.jsonl gets the captions")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--guidance", type=float, default=2.5)
    parser.add_argument("--raw-weights", action="store_true", help="the last weights instead of their running average")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with open(args.captions, encoding="utf-8") as lines:
        info = [json.loads(line) for line in lines][: args.count]
    saved, model, vae = torch.load(args.model), Model(Tokenizer(args.tokenizer)), Vae()
    model.load_state_dict(saved["model" if args.raw_weights else "smooth"])
    vae.load_state_dict(torch.load(args.vae)["model"])
    latents = sample(model, [i["full"] for i in info], args.steps, args.guidance)
    with open(args.out, "wb") as file, open(args.out + ".jsonl", "w", encoding="utf-8") as lines, torch.no_grad():
        for i, latent in zip(info, latents):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                video = vae.decode((latent[None] * saved["std"] + saved["mean"])).float()[0]
            codes = ((video + 1) * 0.5).clamp(0, 1).permute(1, 2, 3, 0).numpy()
            file.write((codes * 65535 + 0.5).astype("<u2").tobytes())
            lines.write(json.dumps(i) + "\n")


if __name__ == "__main__":
    main()
