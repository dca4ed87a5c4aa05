"""Trains the VAE on crops of rendered clips for a given time; restarts from its own checkpoint.

The loss is L1 + L2 in code space, L1 of the differences between neighbours in space and time (edges), the error
of hues over larger blocks, how much the decoder's own grids show, and a small KL term. The learning rate follows the share of the time that has passed,
so that the run ends annealed.
"""

import argparse
import math
import os
import time

import numpy as np
import torch

from tabletop.clips import Clips
from tabletop.helpers import Helpers, fill_gradients
from tabletop.muon import Muon
from tabletop.vae import Vae


def psnr(video, truth):
    """PSNR in code space, where codes run over 0..1 (videos in -1..1)."""
    return -10 * math.log10(((video - truth) / 2).pow(2).mean().item())


def reconstruct(model, video):
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        return model.decode(model.encode(video)).float()


def report(model, truth):
    made = reconstruct(model, truth)
    print(f"held-out psnr {psnr(made, truth):.2f} grid {grid_excess(made, truth):.3f}", flush=True)


def edges(x, y):
    """Mean absolute error of neighbour differences along columns, rows and frames."""
    return sum((x.diff(dim=d) - y.diff(dim=d)).abs().mean() for d in (2, 3, 4) if x.shape[d] > 1) / 3


def hue_error(error):
    """Mean absolute error of R-G and B-G over blocks of 8x8 pixels: hues are right before edges are."""
    low = torch.nn.functional.avg_pool3d(error, (1, 8, 8))
    return (low[:, 0] - low[:, 1]).abs().mean() + (low[:, 2] - low[:, 1]).abs().mean()


def grid_excess(made, truth):
    """How much the lines of the latent grid and of the decoder's levels show: the step across them, relative to the
    steps one pixel beside (worker/picture/seam.h measures the same), against what the truth has there."""

    def relation(video, dim, period):
        step = video.diff(dim=dim).abs().mean(dim=[d for d in range(5) if d != dim])
        at = torch.arange(period - 1, len(step) - 1, period)
        return torch.log(2 * step[at].mean() + 1e-4) - torch.log(step[at - 1].mean() + step[at + 1].mean() + 1e-4)

    pairs = [(dim, period) for dim in (3, 4) for period in (2, 4, 8, 16)]
    return sum((relation(made, *pair) - relation(truth, *pair)).abs() for pair in pairs) / len(pairs)


def losses(model, video, kl_weight, frozen_encoder=False):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.set_grad_enabled(not frozen_encoder):
            mean, log_variance = model.moments(video)
        mean, log_variance = mean.float(), log_variance.float().clamp(-12, 4)
        latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        made = model.decode(latent).float()
    error = made - video
    kl = 0.5 * (mean.pow(2) + log_variance.exp() - 1 - log_variance).mean()
    loss = (error.abs().mean() + 2 * error.pow(2).mean() + edges(made, video) + 0.5 * hue_error(error)
            + 0.02 * grid_excess(made, video) + kl_weight * kl)
    return loss, error.pow(2).mean().item(), kl.item()


def batch_of(plain, large, random, size, frames, side):
    source = large if random.random() < 0.25 else plain
    return torch.stack([source.crop(random, frames, side, side) for _ in range(size)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plain", required=True, help="160x96x33 clips")
    parser.add_argument("--large", required=True, help="128x96x33 crops of 640x384 clips")
    parser.add_argument("--held", required=True, help="held-out 160x96x33 clips")
    parser.add_argument("--out", required=True, help="checkpoint; continued if it exists")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--final-rate", type=float, default=1e-4)
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--frames", type=int, default=9)
    parser.add_argument("--helpers", type=int, default=1, help="further processes that compute gradients")
    parser.add_argument("--report", type=int, default=500, help="steps between held-out measurements and savings")
    parser.add_argument("--kl", type=float, default=1e-4)
    parser.add_argument("--decoder-only", action="store_true", help="keep the encoder, and so the latents, as they are")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)

    plain, large, held = Clips(args.plain, 33, 96, 160), Clips(args.large, 33, 96, 128), Clips(args.held, 33, 96, 160)
    truth = torch.stack([held.video(i) for i in range(3)])
    model, step = Vae(), 0
    parameters = list(model.parameters())
    if args.decoder_only:
        parameters = list(model.decoder.parameters()) + list(model.conv2.parameters())
    matrices = [p for n, p in model.named_parameters() if p.dim() == 5 and p.shape[0] >= 16 and p.shape[1] >= 16
                and any(p is q for q in parameters)]
    chosen = {id(p) for p in matrices}
    optimiser = Muon(matrices, [p for p in parameters if id(p) not in chosen], weight_decay=0.01)
    if os.path.exists(args.out):
        saved = torch.load(args.out)
        model.load_state_dict(saved["model"])
        step = saved["step"]
    randoms = [np.random.default_rng(step)]

    def setup(index):
        torch.manual_seed(1000 * step + index)
        randoms[0] = np.random.default_rng([step, index])

    def compute():
        batch = batch_of(plain, large, randoms[0], args.batch, args.frames, args.side)
        loss, mse, kl = losses(model, batch, args.kl, args.decoder_only)
        loss.backward()
        return np.array([loss.item(), mse, kl])

    helpers = Helpers(parameters, args.helpers, setup, compute)
    begin, first, batches = time.time(), step, 0
    sums, counted = np.zeros(3), 0  # since the last line of the log
    while (passed := (time.time() - begin) / (60 * args.minutes)) < 1:
        warm = min(1, (step - first + 1) / 50)
        rate = warm * (args.final_rate + (args.rate - args.final_rate) * 0.5 * (1 + math.cos(math.pi * passed)))
        optimiser.zero_grad()
        sums += compute()
        fill_gradients(parameters)
        batches += helpers.collect()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step(rate)
        step, counted = step + 1, counted + 1
        if step % 50 == 0:
            mean, sums, counted = sums / counted, np.zeros(3), 0
            print(f"step {step} time {time.time() - begin:.0f} loss {mean[0]:.4f} "
                  f"psnr {-10 * math.log10(mean[1] / 4):.2f} kl {mean[2]:.2f} rate {rate:.1e} batches {batches}",
                  flush=True)
        if step % args.report == 0:
            report(model, truth)
            torch.save({"model": model.state_dict(), "step": step}, args.out)
    helpers.stop()
    report(model, truth)
    torch.save({"model": model.state_dict(), "step": step}, args.out)


if __name__ == "__main__":
    main()
