"""Measures VAEs on held-out whole clips: what they lose, and the faults that decoders have.

Prints a table with a column for each VAE; the sheet shows the truth beside them, and four times the error.
"""

import argparse

import numpy as np
import torch

from tabletop.clips import Clips
from tabletop.release_vae import load_vae
from tabletop.vae import decoder_cost
from tabletop.vae_losses import GLOW, phase_error, psnr, step_sizes


def reconstruct(model, videos):
    """[N, 3, T, H, W] -> the same through the VAE, one clip at a time."""
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        return torch.cat([model.decode(model.encode(v[None])).float() for v in videos])


def sharpness(made, truth):
    """Steps between neighbours, where the truth's are large (the steepest 2 %), over the truth's."""
    ratios = []
    for dim in (3, 4):
        wanted, got = truth.diff(dim=dim), made.diff(dim=dim)
        steep = wanted.abs() > max(0.02, torch.quantile(wanted.abs().flatten()[::37], 0.98).item())
        ratios.append((got * wanted.sign())[steep].mean() / wanted.abs()[steep].mean())
    return (sum(ratios) / 2).item()


def spectral_lines(made, truth):
    """How far the error's spectrum stands out at periods of 2, 4, 8 and 16 pixels: amplitude there over that of its
    surroundings, the largest along rows or columns for each period, {period: ratio}; 1 is none."""
    error, found = made - truth, {}
    for dim in (3, 4):
        length = error.shape[dim] // 32 * 32
        spectrum = torch.fft.rfft(error.narrow(dim, 0, length), dim=dim).abs().pow(2)
        power = spectrum.mean([d for d in range(5) if d != dim])
        for period in (2, 4, 8, 16):
            at = length // period
            around = torch.cat([power[at - 3:at], power[at + 1:at + 4]])
            found[period] = max(found.get(period, 0), (power[at] / around.mean()).item())
    return found


def still_flicker(made, truth):
    """RMS of the steps between frames where the truth stands still, in per cent of the code range."""
    still = (truth.diff(dim=2).abs().amax(1, keepdim=True) < 1e-4).expand(-1, 3, -1, -1, -1)
    return 50 * made.diff(dim=2)[still].pow(2).mean().sqrt().item()


def linear(video):
    """Scene-linear light of codes above 0.155 (ACEScct)."""
    return torch.exp2((video + 1) / 2 * 17.52 - 9.72)


def peaks(made, truth):
    """For every clip that glows: peak of the made over the truth's in linear light (99.9th percentile of what glows),
    and the largest value over the truth's largest: (ratios, overshoots)."""
    ratios, overshoots = [], []
    for m, t in zip(made, truth):
        glow = t.amax(0) > GLOW + 0.05
        if glow.sum() < 200:
            continue
        a, b = linear(m.amax(0)[glow]), linear(t.amax(0)[glow])
        ratios.append((torch.quantile(a[:200000], 0.99) / torch.quantile(b[:200000], 0.99)).item())
        overshoots.append((linear(m.max()) / linear(t.max())).item())
    return ratios, overshoots


def phases(made, truth):
    """Step sizes over the truth's by place in the latent's four frames."""
    return ((step_sizes(made).mean(0) + 1e-6) / (step_sizes(truth).mean(0) + 1e-6)).tolist()


def summary(made, truth):
    """One line of figures for the log."""
    lines = spectral_lines(made, truth)
    return (f"psnr {psnr(made, truth):.2f} first {psnr(made[:, :, :1], truth[:, :, :1]):.2f} "
            f"sharp {sharpness(made, truth):.3f} line2 {lines[2]:.1f} line4 {lines[4]:.1f} line8 {lines[8]:.1f} "
            f"line16 {lines[16]:.1f} phase {phase_error(made, truth):.3f} flicker {still_flicker(made, truth):.3f}")


def figures(model, truth):
    """Rows (name, text) of the table, and the decoded clips."""
    made = reconstruct(model, truth)
    lines, (ratios, overshoots) = spectral_lines(made, truth), peaks(made, truth)
    clips = [psnr(m, t) for m, t in zip(made, truth)]
    rows = [
        ("latent channels", f"{len(model.conv2.bias)}"),
        ("decoder, multiply-adds per pixel", f"{decoder_cost(model):.0f}"),
        ("PSNR of whole clips, dB", f"{psnr(made, truth):.2f}"),
        ("PSNR of the worst and best clip, dB", f"{min(clips):.2f} and {max(clips):.2f}"),
        ("PSNR of frame 0, dB", f"{psnr(made[:, :, :1], truth[:, :, :1]):.2f}"),
        ("steepest 2 % of edges, slope over the truth's", f"{sharpness(made, truth):.3f}"),
        ("error lines at 2, 4, 8, 16 pixels over their surroundings",
         ", ".join(f"{lines[p]:.1f}" for p in (2, 4, 8, 16))),
        ("step over the truth's by place in the latent", ", ".join(f"{p:.2f}" for p in phases(made, truth))),
        ("flicker of what stands still, % of code", f"{still_flicker(made, truth):.3f}"),
        ("peak of glowing objects over the truth's", f"{np.mean(ratios):.3f}, worst {worst(ratios):.3f}"),
        ("their overshoot", f"{np.mean(overshoots):.3f}, worst {max(overshoots):.3f}"),
    ]
    return rows, made


def worst(ratios):
    return max(ratios, key=lambda r: abs(np.log(r)))


def picture(frame):
    """[3, H, W] in -1..1 -> [H, W, 3] in 0..1, the code stretched so that black and 16 times white are the ends."""
    return (((frame + 1) / 2 - 0.07) / (0.78 - 0.07)).clamp(0, 1).permute(1, 2, 0).numpy()


def draw(path, truth, columns, clips, frame=16):
    """One row per clip: the truth, then every VAE's picture and four times its error around grey."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    width = 1 + 2 * len(columns)
    figure, axes = pyplot.subplots(len(clips), width, figsize=(3.3 * width, 2.2 * len(clips)), dpi=80, squeeze=False)
    for row, clip in zip(axes, clips):
        wanted = truth[clip, :, frame]
        shown = [("truth", picture(wanted))]
        for name, made in columns:
            got = made[clip, :, frame]
            error = (0.5 + 2 * (got - wanted)).clamp(0, 1).permute(1, 2, 0).numpy()
            shown += [(f"{name}: {psnr(got, wanted):.1f} dB", picture(got)), (f"{name}: error x 4", error)]
        for axis, (title, image) in zip(row, shown):
            axis.imshow(image, interpolation="nearest")
            axis.set_title(title, fontsize=9)
            axis.axis("off")
    figure.tight_layout(pad=0.3)
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vae", nargs="+", required=True, metavar="NAME=FILE", help="checkpoints or releases")
    parser.add_argument("--held", required=True, help="held-out 160x96x33 clips")
    parser.add_argument("--sheet", help="PNG to write")
    args = parser.parse_args()
    torch.set_num_threads(1)
    held = Clips(args.held, 33, 96, 160)
    truth = torch.stack([held.video(i) for i in range(len(held))])
    names, tables, columns = [], [], []
    for name, path in (entry.split("=", 1) for entry in args.vae):
        rows, made = figures(load_vae(path), truth)
        names.append(name)
        tables.append(rows)
        columns.append((name, made))
    print(f"| {len(held)} held-out clips | " + " | ".join(names) + " |")
    print("| --- " * (1 + len(names)) + "|")
    for cells in zip(*tables):
        print(f"| {cells[0][0]} | " + " | ".join(text for _, text in cells) + " |")
    if args.sheet:
        draw(args.sheet, truth, columns, range(0, len(held), max(1, len(held) // 6)))


if __name__ == "__main__":
    main()
