"""Trains transformer and text encoder together from cached latents, in stages that restart from saved weights.

One stage = one run: a number of latent frames (3 first: a third of the cost, and enough to learn what things look
like; then 9, the whole window) and a time. Flow matching: x_t = (1 - sigma) x0 + sigma noise, target noise - x0.
"""

import argparse
import copy
import os
import time

import numpy as np
import torch

from tabletop import latents as data
from tabletop.helpers import Helpers
from tabletop.muon import Muon
from tabletop.text import TextEncoder, Tokenizer, pad_context
from tabletop.transformer import Transformer

ATTRIBUTES = ("light", "place", "shape", "colour", "material", "emission", "size", "motion", "camera")
SHORT = 3  # latent frames of short examples: enough for what things look like, a third of the cost


class Model(torch.nn.Module):
    """Both networks; `velocity` is what training and sampling share."""

    def __init__(self, tokenizer, z=24, layers=6, ffn_dim=768):
        super().__init__()
        self.tokenizer = tokenizer
        self.text = TextEncoder(tokenizer.model.vocab_size())
        self.transformer = Transformer(2 * z + 4, z, 256, ffn_dim, 4, layers, 128)

    def context(self, captions):
        return pad_context(self.text(*self.tokenizer(captions)))

    def velocity(self, noisy, condition, sigma, context):
        """noisy [B, z, F, 6, 10], condition [B, 4 + z, ...], sigma [B] -> v like noisy. Timesteps are truncated."""
        t = torch.floor(sigma * 1000)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.transformer(torch.cat([noisy, condition], dim=1), t, context).float()


def teach_text(model, captions, info, seconds, random):
    """Starts the text encoder: its mean state must tell the attributes. Random states would teach the
    transformer nothing for its first thousand steps."""
    values = {a: sorted({str(i[a]) for i in info}) for a in ATTRIBUTES}
    heads = torch.nn.ModuleDict({a: torch.nn.Linear(128, len(v)) for a, v in values.items()})
    optimiser = torch.optim.AdamW(list(model.text.parameters()) + list(heads.parameters()), lr=2e-3)
    begin, step = time.time(), 0
    while time.time() - begin < seconds:
        rows = random.integers(0, len(info), 48)
        states = model.context([captions[r][1] for r in rows]).sum(1) / 16
        loss = sum(torch.nn.functional.cross_entropy(
            heads[a](states), torch.tensor([values[a].index(str(info[r][a])) for r in rows])) for a in ATTRIBUTES)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 100 == 0:
            print(f"text step {step} loss {loss.item():.3f}", flush=True)


def learning_rate(args, passed, step):
    """Warms up, holds, and falls linearly to a twentieth over the last `--anneal` share of the time."""
    rate = args.rate * min(1, (step + 1) / 80)
    left = (1 - passed) / args.anneal if args.anneal > 0 else 1
    return rate * max(0.05, min(1, left))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latents", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True, help="checkpoint; continued if it exists")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--frames", type=int, default=9, help="latent frames per example")
    parser.add_argument("--short-share", type=float, default=0.0, help=f"batches of {SHORT} frames, twice the clips")
    parser.add_argument("--batch", type=int, default=16, help="examples per process and step")
    parser.add_argument("--accumulate", type=int, default=2)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--anneal", type=float, default=0.0)
    parser.add_argument("--helpers", type=int, default=1)
    parser.add_argument("--text-seconds", type=float, default=60, help="head start of a new text encoder")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(2)

    model = Model(Tokenizer(args.tokenizer))
    saved = torch.load(args.out) if os.path.exists(args.out) else None
    if saved:
        model.load_state_dict(saved["model"])
        mean, std, step = saved["mean"], saved["std"], saved["step"]
    else:
        (mean, std), step = data.statistics(args.latents), 0
    store = data.Latents(args.latents, mean, std)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, clips {store.count()}", flush=True)
    randoms = [np.random.default_rng(step)]
    if not saved:
        plain = [chunk for chunk in store.chunks if chunk["kind"] == "plain"]
        teach_text(model, sum((c["captions"] for c in plain), []), sum((c["info"] for c in plain), []),
                   args.text_seconds, randoms[0])
    smooth = copy.deepcopy(model)
    if saved:
        smooth.load_state_dict(saved["smooth"])
    parameters = list(model.parameters())
    refreshed = [time.time()]

    def setup(index):
        torch.manual_seed(1000 * step + index)
        randoms[0] = np.random.default_rng([step, index])

    def compute():
        if time.time() - refreshed[0] > 120:
            refreshed[0] = time.time()
            store.refresh()
        short = randoms[0].random() < args.short_share
        x0, condition, captions, sigma = store.batch(randoms[0], args.batch * (2 if short else 1),
                                                     SHORT if short else args.frames)
        noise = torch.randn_like(x0)
        s = sigma[:, None, None, None, None]
        v = model.velocity((1 - s) * x0 + s * noise, condition, sigma, model.context(captions))
        loss = (v - (noise - x0)).pow(2).mean()
        loss.backward()
        return loss.item()

    helpers = Helpers(parameters, args.helpers, setup, compute)
    matrices = [p for n, p in model.transformer.named_parameters() if n.startswith("blocks.") and p.dim() == 2]
    chosen = {id(p) for p in matrices}
    optimiser = Muon(matrices, [p for p in parameters if id(p) not in chosen])
    begin, first, batches, last_save = time.time(), step, 0, time.time()
    total, counted = 0.0, 0  # since the last line of the log
    while (passed := (time.time() - begin) / (60 * args.minutes)) < 1:
        optimiser.zero_grad()
        for _ in range(args.accumulate):
            total += compute() / args.accumulate
        for parameter in parameters:
            parameter.grad.div_(args.accumulate)
        batches += helpers.collect() - 1 + args.accumulate
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        rate = learning_rate(args, passed, step - first)
        optimiser.step(rate)
        step, counted = step + 1, counted + 1
        with torch.no_grad():
            keep = min(0.997, (1 + step) / (20 + step))
            for average, parameter in zip(smooth.parameters(), parameters):
                average.lerp_(parameter, 1 - keep)
        if step % 50 == 0:
            print(f"step {step} time {time.time() - begin:.0f} loss {total / counted:.4f} rate {rate:.1e} "
                  f"examples {batches * args.batch} frames {args.frames} clips {sum(store.count().values())}",
                  flush=True)
            total, counted = 0.0, 0
        if time.time() - last_save > 120:
            last_save = time.time()
            save(args.out, model, smooth, mean, std, step)
    helpers.stop()
    save(args.out, model, smooth, mean, std, step)
    print(f"stage done at step {step}", flush=True)


def save(path, model, smooth, mean, std, step):
    torch.save({"model": model.state_dict(), "smooth": smooth.state_dict(), "mean": mean, "std": std, "step": step},
               path + ".part")
    os.rename(path + ".part", path)


if __name__ == "__main__":
    main()
