"""Training batches out of the chunks that cache_latents writes: modes, crops, captions, conditions."""

import glob
import os

import numpy as np
import torch

MODES = ("text", "first", "guide")
MODE_SHARES = (0.66, 0.14, 0.20)
TILE_SHARE = 0.6  # of the guide batches
EMPTY_SHARE = 0.12  # captions dropped, for classifier-free guidance


def statistics(folder):
    """Mean and standard deviation per latent channel over the plain chunks, each [1, z, 1, 1, 1]."""
    latents = [torch.load(p)["latent"].float() for p in sorted(glob.glob(os.path.join(folder, "*-plain.pt")))[:2]]
    every = torch.cat(latents)
    return every.mean((0, 2, 3, 4), keepdim=True), every.std((0, 2, 3, 4), keepdim=True)


class Latents:
    """All chunks of a folder, normalised; `refresh` reads those that have appeared since."""

    def __init__(self, folder, mean, std):
        self.folder, self.mean, self.std = folder, mean, std
        self.seen, self.chunks = set(), []
        self.by_kind = {"plain": [], "long": [], "tile": []}  # (chunk, clip) pairs
        self.first, self.guide = [], []  # (chunk, clip, row of the condition)
        self.refresh()

    def normal(self, latent):
        return (latent.float() - self.mean[0]) / self.std[0]

    def refresh(self):
        for path in sorted(glob.glob(os.path.join(self.folder, "*.pt"))):
            if path in self.seen:
                continue
            self.seen.add(path)
            chunk, at = torch.load(path), len(self.chunks)
            self.chunks.append(chunk)
            self.by_kind[chunk["kind"]] += [(at, i) for i in range(len(chunk["latent"]))]
            if chunk["kind"] == "plain":
                self.first += [(at, int(i), row) for row, i in enumerate(chunk["first_of"])]
                self.guide += [(at, int(i), row) for row, i in enumerate(chunk["guide_of"])]

    def count(self):
        return {kind: len(pairs) for kind, pairs in self.by_kind.items()}

    def sample(self, random, mode, frames):
        """One example: x0 [z, frames, 6, 10], condition [4 + z, frames, 6, 10], caption."""
        z = self.mean.shape[1]
        condition = torch.zeros(4 + z, frames, 6, 10)
        if mode == "first" and self.first:
            at, i, row = self.first[random.integers(len(self.first))]
            condition[:4, 0] = 1
            condition[4:] = self.normal(self.chunks[at]["first"][row])[:, :frames]
            start = 0
        elif mode == "guide" and (self.guide or self.by_kind["tile"]):
            tiles = self.by_kind["tile"]
            if tiles and (not self.guide or random.random() < TILE_SHARE):
                at, i = tiles[random.integers(len(tiles))]
                row = i
            else:
                at, i, row = self.guide[random.integers(len(self.guide))]
            total = self.chunks[at]["latent"].shape[2]
            start = int(random.integers(0, total - frames + 1)) if random.random() < 0.3 else 0
            condition[:4] = 0.5
            condition[4:] = self.normal(self.chunks[at]["guide"][row])[:, start:start + frames]
        else:
            pairs = self.by_kind["plain"]
            if self.by_kind["long"] and random.random() < 0.12:
                pairs = self.by_kind["long"]
            at, i = pairs[random.integers(len(pairs))]
            total = self.chunks[at]["latent"].shape[2]
            start = int(random.integers(0, total - frames + 1)) if random.random() < 0.3 else 0
        x0 = self.normal(self.chunks[at]["latent"][i])[:, start:start + frames]
        caption = self.chunks[at]["captions"][i][int(random.random() < 0.4)]
        return x0, condition, "" if random.random() < EMPTY_SHARE else caption

    def batch(self, random, size, frames, shift=6.0):
        """x0, condition, captions, sigma [size]. Noise levels are shifted towards pure noise: small latents of
        simple scenes show the scene through a lot of noise, and an unshifted model ignores the prompt. Guided
        examples spend half of theirs below 0.6, where refining starts."""
        modes = random.choice(len(MODES), size=size, p=MODE_SHARES)
        rows = [self.sample(random, MODES[mode], frames) for mode in modes]
        u = random.random(size)
        sigma = shift * u / (1 + (shift - 1) * u)
        low = (modes == 2) & (random.random(size) < 0.5)
        sigma = np.where(low, 0.02 + 0.58 * random.random(size), sigma)
        return (torch.stack([r[0] for r in rows]), torch.stack([r[1] for r in rows]), [r[2] for r in rows],
                torch.tensor(np.clip(sigma, 0.001, 1.0), dtype=torch.float32))
