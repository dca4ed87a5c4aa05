"""Writes the model folder: transformer, text encoder and VAE in bf16 safetensors, tokenizer, manifest.

Matrices and convolution kernels become bf16; gains, biases and modulations stay float32. The manifest carries the
BLAKE2b-256 digests and the latents' mean and standard deviation.
"""

import argparse
import hashlib
import os
import shutil

import torch

from tabletop import safetensors_io
from tabletop.text import TEXT_LEN, Tokenizer
from tabletop.train_transformer import Model
from tabletop.vae import Vae

MANIFEST = """\
# Tabletop: the model that ships with Rushes. tools/train/README.md says how it was trained and what it can do.
version: 1
name: tabletop
family: wan
licence: Apache-2.0
files:                       # paths relative to this file; digest is BLAKE2b-256 of the file
  transformer:  {{path: transformer.safetensors, digest: "{transformer}"}}
  text_encoder: {{path: text_encoder.safetensors, digest: "{text_encoder}"}}
  tokenizer:    {{path: tokenizer.model, digest: "{tokenizer}"}}
  vae:          {{path: vae.safetensors, digest: "{vae}"}}
fps: 24
frames: 33                   # native window: 9 latent frames
size: {{width: 160, height: 96}}
deliver: {{width: 160, height: 90}}
head_dim: 64
text_len: {text_len}
text_heads: 4
conditioning: i2v            # mask + condition channels; mask 0.5 marks a low-resolution guide
vae:
  form: wan2.2
  stride: [4, 16, 16]
  mean: [{mean}]
  std: [{std}]
working_space: acescct       # AP1 primaries; the VAE sees code * 2 - 1
sampling:
  draft:  {{sampler: unipc, steps: {steps}, shift: 6.0, guidance: {guidance}}}
  master: {{sampler: euler, steps: 4, shift: 3.0, guidance: 1.0, start_sigma: 0.4}}
negative_prompt: ""
"""


def shrink(state):
    """Large weights as bf16, the rest as float32."""
    def large(name, tensor):
        return tensor.dim() >= 2 and tensor.numel() >= 2048 and "modulation" not in name and "gamma" not in name

    return {name: t.bfloat16() if large(name, t) else t.float() for name, t in state.items()}


def digest(path):
    with open(path, "rb") as file:
        return "blake2b-256:" + hashlib.blake2b(file.read(), digest_size=32).hexdigest()


def numbers(tensor):
    return ", ".join(f"{v:.5f}" for v in tensor.flatten().tolist())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vae", required=True)
    parser.add_argument("--model", required=True, help="checkpoint of train_transformer; its averaged weights are used")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True, help="the model folder")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--guidance", type=float, default=2.5)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)

    def place(name):
        return os.path.join(args.out, name)

    vae, saved = Vae(), torch.load(args.model)
    vae.load_state_dict(torch.load(args.vae)["model"])
    model = Model(Tokenizer(args.tokenizer))
    model.load_state_dict(saved["smooth"])
    parts = {"transformer": model.transformer, "text_encoder": model.text, "vae": vae}
    digests = {}
    for name, part in parts.items():
        path = place(name + ".safetensors")
        safetensors_io.save(path, shrink(part.state_dict()), {"format": "pt", "model": "tabletop"})
        loaded, _ = safetensors_io.load(path)
        for key, tensor in part.state_dict().items():
            error = (loaded[key] - tensor).norm() / tensor.norm().clamp_min(1e-9)
            assert error < 4e-3, f"{path}: {key} came back changed by {error:.1e}"
        digests[name] = digest(path)
        print(f"{path}: {os.path.getsize(path) / 1e6:.2f} MB")
    shutil.copyfile(args.tokenizer, place("tokenizer.model"))
    digests["tokenizer"] = digest(place("tokenizer.model"))
    with open(place("model.yaml"), "w", encoding="utf-8") as file:
        file.write(MANIFEST.format(text_len=TEXT_LEN, mean=numbers(saved["mean"]), std=numbers(saved["std"]),
                                   steps=args.steps, guidance=args.guidance, **digests))
    total = sum(os.path.getsize(place(f)) for f in os.listdir(args.out))
    print(f"{args.out}: {total / 1e6:.2f} MB, step {saved['step']}")
    assert total < 24e6, "the folder must stay under 24 MB"


if __name__ == "__main__":
    main()
