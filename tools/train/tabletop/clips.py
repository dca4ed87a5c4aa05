"""Reads what `tabletop-clips` writes: memory-mapped ACEScct codes and their captions."""

import json

import numpy as np
import torch


class Clips:
    """Clips of one file: `codes` is uint16 [N, F, H, W, 3], `info` a list of attribute dictionaries."""

    def __init__(self, path, frames, height, width):
        self.codes = np.memmap(path, dtype="<u2", mode="r").reshape(-1, frames, height, width, 3)
        with open(path + ".jsonl", encoding="utf-8") as lines:
            self.info = [json.loads(line) for line in lines]

    def __len__(self):
        return len(self.codes)

    def video(self, index, frames=slice(None), rows=slice(None), columns=slice(None)):
        """Part of a clip as float32 [3, F, H, W] in -1..1 (code * 2 - 1)."""
        part = self.codes[index, frames, rows, columns].astype(np.float32) * (2.0 / 65535.0) - 1.0
        return torch.from_numpy(part).permute(3, 0, 1, 2)

    def crop(self, random, frames, height, width, tries=4):
        """A random crop of a random clip; `random` is a numpy Generator. Of `tries` places in the clip the most
        colourful is taken: objects cover a tenth of the picture and are what matters."""
        total, rows, columns = self.codes.shape[1:4]
        index, t = int(random.integers(len(self))), int(random.integers(0, total - frames + 1))
        best, most = (0, 0), -1.0
        for _ in range(tries):
            y, x = int(random.integers(0, rows - height + 1)), int(random.integers(0, columns - width + 1))
            look = self.codes[index, t + frames // 2, y:y + height:4, x:x + width:4].astype(np.float32)
            colour = float(look.max(-1).sum() - look.min(-1).sum())
            if colour > most:
                best, most = (y, x), colour
        y, x = best
        return self.video(index, slice(t, t + frames), slice(y, y + height), slice(x, x + width))
