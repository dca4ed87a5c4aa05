"""Draws loss curves from the logs of train_vae and train_transformer into one PNG."""

import re
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402


def curves(path, keys):
    """Rows of (step, values of keys) from lines such as "step 50 time 63 loss 1.61 ...". """
    rows = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            words = dict(zip(line.split()[0::2], line.split()[1::2])) if line.startswith("step ") else {}
            if all(re.fullmatch(r"[-+.e0-9]+", words.get(key, "")) for key in ["step", *keys]):
                rows.append([float(words[key]) for key in ["step", *keys]])
    return list(zip(*rows))


def main(vae_log, transformer_log, out):
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.2), dpi=90)
    step, psnr = curves(vae_log, ["psnr"])
    left.plot(step, psnr)
    left.set(title="VAE: PSNR of training crops, code space", xlabel="step", ylabel="dB")
    step, loss, frames = curves(transformer_log, ["loss", "frames"])
    for count in sorted(set(frames)):
        rows = [(s, v) for s, v, f in zip(step, loss, frames) if f == count]
        right.plot(*zip(*rows), label=f"{int(count)} latent frames")
    right.set(title="Transformer: flow matching loss, shift 6", xlabel="step", ylim=(0, 0.8))
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
