"""The steps that run whole models: transformers, VAE and text encoder of random weights in Wan's shapes, and Tabletop."""
import re
import time

from . import shapes
from .driver import Failed


def floor_flop(size, tokens, text_tokens):
    """Arithmetic of one pass that no kernel can leave out: (self-attention, everything else)."""
    dim, ffn, layers = size["dim"], size["ffn"], size["layers"]
    cross = 4 * tokens * text_tokens * dim
    products = 2 * tokens * (6 * dim * dim + 2 * dim * ffn)  # keys and values of the text are made once per prompt
    return layers * 4 * tokens * tokens * dim, layers * (cross + products)


def shapes_file(check, name, found):
    folder = check.work / "shapes"
    folder.mkdir(parents=True, exist_ok=True)
    return shapes.write(found, folder / (name + ".txt"))


def transformer_shapes(check, name, size, layers):
    return shapes_file(check, f"{name}_{layers}", shapes.transformer(size["dim"], size["ffn"], layers, size["channels"],
                                                                    text_dim=size["text_dim"]))


def steps_of_transformers(check):
    """One pass of transformers in Wan's shapes, split by kernel; bf16 against fp32 on two layers and a small latent."""
    from .steps import row
    wrong = []
    for name, size in check.sizes["transformers"].items():
        common = {"head_dim": size["head_dim"], "text_len": size["text_len"], "text_rows": size["text_len"]}
        frames, rows, columns = size["small"]
        near = check.ask("transformer", timeout=300, shapes=transformer_shapes(check, name, size, 2), compare=1,
                                frames=frames, rows=rows, columns=columns, **common)
        if near["rel_l2"] is None or near["rel_l2"] > 2e-2:
            wrong.append(f"{name}: bf16 differs from fp32 by rel-L2 {near['rel_l2']}")
        layers = layers_that_fit(check, size)
        if layers < size["layers"]:
            check.say(f"{name}: {layers} of {size['layers']} layers fit into this device's memory")
        begin, (frames, rows, columns) = time.monotonic(), size["latent"]
        answer = check.ask("transformer", timeout=300, shapes=transformer_shapes(check, name, size, layers),
                                  rounds=check.sizes["pass_rounds"], frames=frames, rows=rows, columns=columns, **common)
        if not answer["finite"]:
            wrong.append(f"{name}: the result is not finite")
        of_attention, of_products = floor_flop({**size, "layers": layers}, answer["tokens"], size["text_len"])
        answer.update(flop=of_attention + of_products, attention_flop=of_attention, heads=size["dim"] // size["head_dim"])
        answer.update(rel_l2=near["rel_l2"], cosine=near["cosine"], near="2 layers, latent " + "x".join(map(str, size["small"])))
        row(check, "transformer pass", f"{name} {answer['tokens']} tokens {layers} layers", "ours bf16", answer, begin)
        check.must_go_on()
    if wrong:
        raise Failed("; ".join(wrong))


def layers_that_fit(check, size):
    """All, or as many as leave room for what a pass works on."""
    frames, rows, columns = size["latent"]
    work = frames * rows * columns // 4 * (size["dim"] * 30 + size["ffn"] * 4) + (4 << 30)
    every = 2 * shapes.parameters(shapes.transformer(size["dim"], size["ffn"], 1, size["channels"], text_dim=size["text_dim"]))
    return size["layers"] if check.emulated else max(1, min(size["layers"], (check.info["free_bytes"] - work) // every))


def passes_of_vae(check):
    """Decoding and encoding of a clip, pixels in fp32 as the farm has them, and in bf16."""
    from .steps import row
    size, wrong = check.sizes["vae"], []
    file = shapes_file(check, "vae", shapes.vae(size["width"], size["channels"]))
    common = {"shapes": file, "channels": size["channels"]}
    for direction in ("decode", "encode"):
        near = {}
        for precision, most, (frames, rows, columns) in (("bf16", 5e-2, size["small"]), ("f32", 1e-4, (1, 2, 2))):
            near[precision] = check.ask("vae", direction=direction, precision=precision, compare=1, frames=frames, rows=rows,
                                        columns=columns, **common)
            near[precision]["near"] = f"latent {frames}x{rows}x{columns}"
            if near[precision]["rel_l2"] is None or near[precision]["rel_l2"] > most:
                wrong.append(f"{direction}: {precision} is off by rel-L2 {near[precision]['rel_l2']}")
        frames, rows, columns = size["latent"]
        for precision, limit in size["runs"]:
            begin = time.monotonic()
            answer = check.ask("vae", timeout=240, direction=direction, precision=precision, limit_mb=limit,
                               rounds=check.sizes["pass_rounds"], frames=frames, rows=rows, columns=columns, **common)
            row(check, "vae", f"{direction} {columns * 8}x{rows * 8} x {frames * 4 - 3}, {limit} MiB a chunk",
                f"ours {precision}", {**answer, **near[precision]}, begin)
            check.must_go_on()
    if wrong:
        raise Failed("; ".join(wrong))


def draft(check):
    """A draft in four steps: text, denoise, decode; encode is what a first frame costs besides."""
    from .steps import row
    size, vae, text = check.sizes["transformers"][check.sizes["draft"]["transformer"]], check.sizes["vae"], check.sizes["text"]
    begin, (frames, rows, columns) = time.monotonic(), size["latent"]
    answer = check.ask(
        "draft", timeout=300, text_shapes=shapes_file(check, "text", shapes.text_encoder(**text)),
        shapes=transformer_shapes(check, check.sizes["draft"]["transformer"], size, size["layers"]),
        vae_shapes=shapes_file(check, "vae", shapes.vae(vae["width"], vae["channels"])), channels=vae["channels"],
        head_dim=size["head_dim"], text_len=size["text_len"], tokens=check.sizes["draft"]["tokens"], steps=4,
        pixels=check.sizes["draft"]["pixels"], limit_mb=check.sizes["draft"]["limit_mb"], small_rows=check.sizes["draft"]["small"], small_columns=check.sizes["draft"]["small"],
        frames=frames, rows=rows,
        columns=columns, rounds=check.sizes["pass_rounds"])
    row(check, "draft", f"{columns * 8}x{rows * 8} x {frames * 4 - 3}, 4 steps", f"ours, pixels {check.sizes['draft']['pixels']}", answer,
        begin)
    check.say("  " + ", ".join(f"{part} {answer[part + '_ms']:.1f} ms" for part in ("text", "denoise", "decode", "encode")))
    if not answer["finite"]:
        raise Failed("the frames are not finite")
    if answer["rel_l2"] is None or answer["rel_l2"] > 1e-1:
        raise Failed(f"frames of a small draft are off by rel-L2 {answer['rel_l2']}")


def tabletop(check):
    """The model that ships, from token ids to frames."""
    from .steps import row
    folder = check.root / "config/models/tabletop"
    manifest = (folder / "model.yaml").read_text()
    number = lambda name: re.search(rf"^{name}:\s*([\d.]+)", manifest, re.M).group(1)
    numbers = lambda name: re.search(rf"^\s+{name}:\s*\[([^\]]*)\]", manifest, re.M).group(1).replace(" ", "")
    sampling = re.search(r"draft:\s*\{sampler: unipc, steps: (\d+), shift: ([\d.]+), guidance: ([\d.]+)\}", manifest)
    ids = [line for line in (check.root / "tools/gpu_check/tabletop.ids").read_text().splitlines() if not line.startswith("#")][1]
    frames, rows, columns, steps, rounds = check.sizes["tabletop"]
    begin = time.monotonic()
    answer = check.ask(
        "tabletop", timeout=240, text_encoder=folder / "text_encoder.safetensors", transformer=folder / "transformer.safetensors",
        vae=folder / "vae.safetensors", head_dim=number("head_dim"), text_len=number("text_len"), mean=numbers("mean"),
        std=numbers("std"), ids=ids, null_ids=1, frames=frames, rows=rows, columns=columns,
        steps=steps or sampling.group(1), shift=sampling.group(2), guidance=sampling.group(3), rounds=rounds)
    row(check, "tabletop", f"{columns * 16}x{rows * 16} x {frames * 4 - 3}, {steps or sampling.group(1)} steps", "ours bf16, pixels f32",
        answer, begin)
    check.say(f"  a step differs from the reference by {answer['step_rel_l2']:.1e}, a frame by {answer['frame_rel_l2']:.1e}; "
              + ", ".join(f"{part} {answer[part + '_ms']:.1f} ms" for part in ("text", "denoise", "decode")))
    if not answer["ok"]:
        raise Failed("Tabletop differs from the reference")


STEPS = [("tabletop", tabletop), ("transformers", steps_of_transformers), ("vae", passes_of_vae), ("draft", draft)]
