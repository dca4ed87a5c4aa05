"""Renders clips, encodes them and keeps only the latents: one chunk file after another, until told to stop.

A chunk is a dictionary in a .pt file (latents are bfloat16, not normalised):
  latent [N, z, T, 6, 10]   T = 9 (33 frames) or 13 (49 frames)
  first  [M, z, 9, 6, 10]   encodings of [frame 0, then mid-code frames] of the clips `first_of`
  guide  [K, z, 9, 6, 10]   encodings of the clips `guide_of` at a quarter of the resolution, scaled up again
  captions                  per clip: two sentences
Kinds in turn: plain (33 frames with conditions), long (49 frames), tile (10x6 latents out of 40x24, with guide).
"""

import argparse
import os
import subprocess
import time

import torch
import torch.nn.functional as F

from tabletop.clips import Clips
from tabletop.vae import Vae

# What each kind renders: frames, tabletop-clips options, picture size in the file.
KINDS = {
    "plain": (33, [], (96, 160)),
    "long": (49, [], (96, 160)),
    "tile": (33, ["--width", "640", "--height", "384", "--crop-width", "192", "--crop-height", "128"], (128, 192)),
}
ORDER = ["plain", "plain", "plain", "long", "plain", "tile"]
COUNTS = {"plain": 160, "long": 60, "tile": 48}


def encode(model, video):
    """[3, T, H, W] -> bfloat16 [z, n, H/16, W/16]"""
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        return model.encode(video[None])[0].bfloat16()


def first_frame_only(video):
    """The picture that the first-frame mode encodes: frame 0, then mid-code."""
    return torch.cat([video[:, :1], torch.zeros_like(video[:, 1:])], dim=1)


def quarter(video):
    """Down by 4 (area), up by 4 (bilinear): what a draft knows of a picture four times as large."""
    frames = video.transpose(0, 1)
    small = F.avg_pool2d(frames, 4)
    return F.interpolate(small, scale_factor=4, mode="bilinear", align_corners=False).transpose(0, 1)


def encode_chunk(model, clips, kind):
    chunk = {"kind": kind, "captions": [(i["caption"], i["full"]) for i in clips.info], "info": clips.info}
    latents, first, guide = [], {}, {}
    inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))  # a tile without its halo
    for i in range(len(clips)):
        video = clips.video(i)
        if kind == "tile":
            latents.append(encode(model, video)[inside])
            guide[i] = encode(model, quarter(video))[inside]
            continue
        latents.append(encode(model, video))
        if kind == "plain" and i % 5 == 0:
            first[i] = encode(model, first_frame_only(video))
        if kind == "plain" and i % 5 == 2:
            guide[i] = encode(model, quarter(video))
    chunk["latent"] = torch.stack(latents)
    for name, made in (("first", first), ("guide", guide)):
        chunk[name + "_of"] = torch.tensor(sorted(made), dtype=torch.long)
        chunk[name] = torch.stack([made[i] for i in sorted(made)]) if made else None
    return chunk


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vae", required=True)
    parser.add_argument("--clips", required=True, help="the tabletop-clips program")
    parser.add_argument("--out", required=True, help="folder of chunks")
    parser.add_argument("--chunks", type=int, default=60)
    parser.add_argument("--start", type=int, default=0, help="number of the first chunk")
    parser.add_argument("--stride", type=int, default=1, help="chunk numbers start, start + stride, ...")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = Vae()
    model.load_state_dict(torch.load(args.vae)["model"])
    model.eval()
    os.makedirs(args.out, exist_ok=True)
    for number in range(args.start, args.chunks, args.stride):
        kind = ORDER[number % len(ORDER)]
        path = os.path.join(args.out, f"{number:04d}-{kind}.pt")
        if os.path.exists(path):
            continue
        begin, count = time.time(), COUNTS[kind]
        frames, options, (height, width) = KINDS[kind]
        raw = os.path.join(args.out, f"render-{number}.bin")
        subprocess.run([args.clips, "--seed", str(10_000_000 + 1000 * number), "--count", str(count), "--frames",
                        str(frames), "--out", raw] + options, check=True)
        clips = Clips(raw, frames, height, width)
        chunk = encode_chunk(model, clips, kind)
        torch.save(chunk, path + ".part")
        os.rename(path + ".part", path)
        os.remove(raw)
        os.remove(raw + ".jsonl")
        print(f"{path}: {count} clips in {time.time() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
