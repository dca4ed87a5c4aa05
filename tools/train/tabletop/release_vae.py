"""Reads a VAE of any form from a checkpoint or a released file, and writes a release: float16 safetensors."""

import argparse
import os

import torch

from tabletop import safetensors_io
from tabletop.vae import FORMS, Vae

LIMIT = 16_000_000  # bytes of a released file


def form_of(state):
    """The form whose latent channels and whose width before the pixels the weights have."""
    def last(sizes):
        return sizes.get("dec_dim", 16) * sizes.get("dec_mult", (1,))[0]

    z, width = len(state["conv2.bias"]), len(state["decoder.head.0.gamma"])
    return next(name for name, sizes in FORMS.items() if sizes.get("z", 24) == z and last(sizes) == width)


def load_vae(path):
    """A Vae with the weights of a release, or with the averaged ones of a checkpoint of train_vae."""
    if path.endswith(".safetensors"):
        state, _ = safetensors_io.load(path)
    else:
        saved = torch.load(path)
        state = saved.get("smooth", saved["model"])
    model = Vae(**FORMS[form_of(state)])
    model.load_state_dict(state)
    return model.eval()


def release(model, path, step):
    safetensors_io.save(path + ".part", {name: tensor.half() for name, tensor in model.state_dict().items()},
                        {"format": "pt", "model": "tabletop-vae", "step": str(step)})
    again, _ = safetensors_io.load(path + ".part")
    for name, tensor in model.state_dict().items():
        error = (again[name] - tensor).norm() / tensor.norm().clamp_min(1e-9)
        assert error < 1e-3, f"{path}: {name} came back changed by {error:.1e}"
    size = os.path.getsize(path + ".part")
    assert size <= LIMIT, f"{path} would have {size} bytes, {LIMIT} are allowed"
    os.replace(path + ".part", path)
    return size


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True, help="of train_vae; its averaged weights are released")
    parser.add_argument("--out", required=True, help="the safetensors file")
    args = parser.parse_args()
    size = release(load_vae(args.checkpoint), args.out, torch.load(args.checkpoint)["step"])
    print(f"{args.out}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
