"""Trains the VAE on crops of rendered clips for a given time; goes on from its own checkpoint.

The checkpoint (`--out`) holds weights, their running average, the optimiser, the step and the random seeds' place, so
that a stopped run loses at most the minutes since the last saving. The learning rate rises over 50 steps, stays, and
falls over the last share of the time (`--anneal`). Without a checkpoint, `--from` names weights to start with: a
released file of the same form, or one of the form before, which is widened.
"""

import argparse
import math
import os
import time

import numpy as np
import torch

from tabletop import safetensors_io
from tabletop.clips import Clips
from tabletop.helpers import Helpers, fill_gradients
from tabletop.measure_vae import reconstruct, summary
from tabletop.muon import Muon
from tabletop.release_vae import form_of
from tabletop.vae import FORMS, Vae
from tabletop.vae_losses import losses
from tabletop.widen import grow, widen


class Smooth:
    """The running average of the weights: what is measured and released."""

    def __init__(self, model, form):
        self.model, self.count = Vae(**FORMS[form]), 0
        self.model.load_state_dict(model.state_dict())

    def follow(self, model, decay=0.998):
        self.count += 1
        share = max(1 - decay, 1 / (self.count + 1))
        with torch.no_grad():
            for mean, now in zip(self.model.parameters(), model.parameters()):
                mean.lerp_(now, share)


def save(path, **what):
    torch.save(what, path + ".part")
    os.replace(path + ".part", path)


def start(args):
    """The model, its average and the step to go on from, and the optimiser's state or None."""
    model = Vae(**FORMS[args.form])
    if os.path.exists(args.out):
        saved = torch.load(args.out)
        model.load_state_dict(saved["model"])
        smooth = Smooth(model, args.form)
        if "smooth" in saved:
            smooth.model.load_state_dict(saved["smooth"])
            smooth.count = saved["step"]
        return model, smooth, saved["step"], saved.get("optimiser")
    if args.start:
        state, _ = safetensors_io.load(args.start)
        while form_of(state) != args.form:
            state = {"v0": widen, "v1": grow}[form_of(state)](state).state_dict()
        model.load_state_dict(state)
    return model, Smooth(model, args.form), 0, None


class Sources:
    """Where crops come from: whole pictures half of the time, else parts of larger ones."""

    def __init__(self, plain, large):
        self.plain = Clips(plain, 33, 96, 160)
        self.large = [Clips(path, 33, 96, 128) for path in large]

    def batch(self, random, size, frames, side):
        def crop():
            large = random.random() < 0.35
            source = self.large[int(random.integers(len(self.large)))] if large else self.plain
            video = source.crop(random, frames, side, side)
            return video.flip(-1) if random.random() < 0.5 else video

        return torch.stack([crop() for _ in range(size)])


def decibels(square):
    """PSNR of a mean squared error in -1..1 as text."""
    return f"{-10 * math.log10(square / 4):.2f}"


def batch_sizes(random, args):
    """(crops, frames) of the batches whose gradients make one step. Shorter clips than `frames` take part, so that a
    step sees more scenes: what differs most between two crops is how far their mean level is off, and the gradients
    of two scenes alone are little but that."""
    frames = args.frames
    if args.short:
        frames = int(random.choice([5, 9, args.frames]))
    sizes = [(max(1, args.batch * args.frames // frames), frames)] if args.batch else []
    return sizes + ([(args.stills, 1)] if args.stills else [])


def rate_at(args, passed, steps):
    """`passed` is the share of the time, `steps` those of this run."""
    fall = 0 if passed < 1 - args.anneal else (passed - 1 + args.anneal) / args.anneal
    return min(1, (steps + 1) / 50) * (args.final_rate + (args.rate - args.final_rate) * 0.5 *
                                       (1 + math.cos(math.pi * fall)))


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--form", choices=sorted(FORMS), default="v0")
    parser.add_argument("--plain", required=True, help="160x96x33 clips")
    parser.add_argument("--large", required=True, nargs="+", help="128x96x33 crops of larger clips")
    parser.add_argument("--held", required=True, help="held-out 160x96x33 clips")
    parser.add_argument("--out", required=True, help="checkpoint; continued if it exists")
    parser.add_argument("--from", dest="start", help="weights to start with where there is no checkpoint")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--final-rate", type=float, default=1e-4)
    parser.add_argument("--anneal", type=float, default=1.0, help="share of the time over which the rate falls")
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--frames", type=int, default=9)
    parser.add_argument("--short", action="store_true", help="some batches hold more, shorter clips: 5 or 9 frames")
    parser.add_argument("--stills", type=int, default=0, help="single frames in every step, beside the clips")
    parser.add_argument("--helpers", type=int, default=1, help="further processes that compute gradients")
    parser.add_argument("--report", type=float, default=5, help="minutes between held-out measurements and savings")
    parser.add_argument("--kl", type=float, default=1e-4)
    parser.add_argument("--decoder-only", action="store_true", help="keep the encoder, and so the latents, as they are")
    return parser.parse_args()


def main():
    args = options()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    sources, held = Sources(args.plain, args.large), Clips(args.held, 33, 96, 160)
    truth = torch.stack([held.video(i) for i in range(3)])
    model, smooth, step, optimiser_state = start(args)
    parameters = list(model.parameters())
    if args.decoder_only:
        parameters = list(model.decoder.parameters()) + list(model.conv2.parameters())
    matrices = [p for p in parameters if p.dim() >= 4 and p.shape[0] >= 16 and p.shape[1] >= 16]
    chosen = {id(p) for p in matrices}
    optimiser = Muon(matrices, [p for p in parameters if id(p) not in chosen],
                     weight_decay=0.01, others_share=0.3)
    if optimiser_state:
        optimiser.load_state(optimiser_state)
    randoms = [np.random.default_rng(step)]

    def setup(index):
        torch.manual_seed(1000 * step + index)
        randoms[0] = np.random.default_rng([step, index])

    def compute():
        rows = []  # clips, single frames: loss, squared error, KL
        for size, frames in batch_sizes(randoms[0], args):
            batch = sources.batch(randoms[0], size, frames, args.side)
            loss, mse, kl = losses(model, batch, args.kl, args.decoder_only)
            loss.backward()
            rows.append([loss.item(), mse, kl])
        return np.array(rows)

    def report_and_save():
        print("held-out", summary(reconstruct(smooth.model, truth), truth), flush=True)
        save(args.out, model=model.state_dict(), smooth=smooth.model.state_dict(), step=step,
             optimiser=optimiser.state())

    setup(0)
    helpers = Helpers(parameters, args.helpers, setup, compute)
    begin, first, batches, reported = time.time(), step, 0, 0
    sums, counted = 0, 0  # since the last line of the log
    report_and_save()
    while (passed := (time.time() - begin) / (60 * args.minutes)) < 1:
        rate = rate_at(args, passed, step - first)
        optimiser.zero_grad()
        sums += compute()
        fill_gradients(parameters)
        batches += helpers.collect()
        if not torch.isfinite(torch.nn.utils.clip_grad_norm_(parameters, 1.0)):
            continue
        optimiser.step(rate)
        smooth.follow(model)
        step, counted = step + 1, counted + 1
        if step % 25 == 0:
            mean = sums / counted
            sums, counted = 0, 0
            print(f"step {step} time {time.time() - begin:.0f} loss {mean[0, 0]:.4f} psnr {decibels(mean[0, 1])} "
                  f"kl {mean[0, 2]:.2f} rate {rate:.1e} batches {batches} "
                  f"still-loss {mean[-1, 0]:.4f} still-psnr {decibels(mean[-1, 1])}", flush=True)
        if (time.time() - begin) / (60 * args.report) > reported + 1:
            reported += 1
            report_and_save()
    helpers.stop()
    report_and_save()


if __name__ == "__main__":
    main()
