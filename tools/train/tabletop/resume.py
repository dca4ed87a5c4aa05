"""Turns a released model folder back into checkpoints, so that training goes on from a release."""

import argparse
import os
import re

import torch

from tabletop import safetensors_io
from tabletop.text import Tokenizer
from tabletop.train_transformer import Model
from tabletop.vae import Vae


def numbers(manifest, key):
    """The list `key: [..]` of the manifest as [1, z, 1, 1, 1]."""
    values = re.search(rf"^\s+{key}: \[(.*)\]", manifest, re.MULTILINE).group(1)
    return torch.tensor([float(v) for v in values.split(",")]).view(1, -1, 1, 1, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="the model folder, such as config/models/tabletop")
    parser.add_argument("--out", required=True, help="folder that gets vae.pt and transformer.pt")
    args = parser.parse_args()

    def load(name):
        return safetensors_io.load(os.path.join(args.model, name + ".safetensors"))[0]

    vae, model = Vae(), Model(Tokenizer(os.path.join(args.model, "tokenizer.model")))
    vae.load_state_dict(load("vae"))
    model.transformer.load_state_dict(load("transformer"))
    model.text.load_state_dict(load("text_encoder"))
    with open(os.path.join(args.model, "model.yaml"), encoding="utf-8") as file:
        manifest = file.read()
    os.makedirs(args.out, exist_ok=True)
    torch.save({"model": vae.state_dict(), "step": 0}, os.path.join(args.out, "vae.pt"))
    torch.save({"model": model.state_dict(), "smooth": model.state_dict(), "mean": numbers(manifest, "mean"),
                "std": numbers(manifest, "std"), "step": 0}, os.path.join(args.out, "transformer.pt"))


if __name__ == "__main__":
    main()
