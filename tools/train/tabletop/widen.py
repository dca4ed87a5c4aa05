"""Makes a VAE of form v1 that starts with what a v0 has learnt, and one of form v1w with what a v1 has learnt.

The decoder's deep features are v0's twice over: norms and repeating shortcuts give the same with every channel
doubled, and the weights that read a pair share v0's between them by a random share, so that the pair drifts apart in
training. Blocks that v0 lacks add nothing at first. New latent channels come from small random weights.
"""

import torch

from tabletop.vae import FORMS, Vae


def insert_block(state, level, at, end):
    """Layers `at` and later of a level move one place on."""
    moved = {}
    for name in [n for n in state if n.startswith(level)]:
        index, rest = name[len(level):].split(".", 1)
        if int(index) >= at:
            moved[f"{level}{int(index) + end}.{rest}"] = state.pop(name)
    state.update(moved)


def doubled(tensor, outputs, inputs, share):
    """Every output channel twice; every input channel twice, with the shares `share` and 1 - share."""
    if outputs:
        tensor = tensor.repeat_interleave(2, dim=0)
    if inputs:
        parts = torch.stack([share, 1 - share], dim=1).flatten()
        tensor = tensor.repeat_interleave(2, dim=1) * parts.view(1, -1, *[1] * (tensor.dim() - 2))
    return tensor


def widen_decoder(state):
    """Widths 64, 64 of the two deepest levels become 128, 128; everything else stays."""
    wide = ("decoder.middle.", "decoder.upsamples.0.")
    for name in [n for n in state if n.startswith("decoder.")]:
        tensor = state[name]
        inside = name.startswith(wide)
        entry = name.startswith("decoder.upsamples.1.upsamples.0.")  # 128 in, 64 out
        if inside and "gamma" in name:
            state[name] = tensor.repeat_interleave(2, dim=0)
        elif inside and tensor.dim() == 1:
            state[name] = tensor.repeat_interleave(2)
        elif inside:
            share = 0.2 + 0.6 * torch.rand(tensor.shape[1])
            state[name] = doubled(tensor, True, True, share)
            if name.endswith("to_qkv.weight"):  # twice as many products under a root twice as large
                state[name][: 4 * tensor.shape[1]] *= 2**-0.25
        elif name == "decoder.conv1.weight":
            state[name] = doubled(tensor, True, False, None)
        elif name == "decoder.conv1.bias":
            state[name] = tensor.repeat_interleave(2)
        elif entry and name.endswith("residual.0.gamma"):
            state[name] = tensor.repeat_interleave(2, dim=0)
        elif entry and name.endswith("residual.2.weight"):
            state[name] = doubled(tensor, False, True, 0.2 + 0.6 * torch.rand(tensor.shape[1]))
    bias = state["decoder.middle.1.to_qkv.bias"]
    bias[: 2 * bias.shape[0] // 3] *= 2**-0.25


def pair_shortcut(width):
    """The identity of v0's 64 wide block, read from pairs: [width, 2 width, 1, 1, 1]."""
    return (0.5 * torch.eye(width).repeat_interleave(2, dim=1)).view(width, 2 * width, 1, 1, 1)


def with_latents(before, tensor, old_z, z):
    """`tensor` with v0's weights where both know the latent channels: v0's come first, in the mean and in the log
    variance alike. Old and new channels do not read each other where both sides of a layer are latents."""
    def places(size):  # (where in v0, where in v1, how many)
        return {old_z: [(0, 0, old_z)], 2 * old_z: [(0, 0, old_z), (old_z, z, old_z)]}.get(size, [(0, 0, size)])

    rows = places(before.shape[0])
    if before.dim() == 1:
        for here, there, count in rows:
            tensor[there:there + count] = before[here:here + count]
        return tensor
    columns = places(before.shape[1])
    if before.shape[0] != tensor.shape[0] and before.shape[1] != tensor.shape[1]:
        for _, there, count in rows:
            tensor[there:there + count] = 0
        for _, there, count in columns:
            tensor[:, there:there + count] = 0
    for here, there, count in rows:
        for left, right, wide in columns:
            tensor[there:there + count, right:right + wide] = before[here:here + count, left:left + wide]
    return tensor


def widen(old):
    """State of a v0 -> a Vae of form v1 that decodes what v0 decodes."""
    model = Vae(**FORMS["v1"])
    fresh, state = model.state_dict(), {k: v.clone() for k, v in old.items()}
    old_z, z = len(old["conv2.bias"]), FORMS["v1"]["z"]
    insert_block(state, "encoder.downsamples.2.downsamples.", 1, 1)
    insert_block(state, "decoder.upsamples.1.upsamples.", 2, 1)
    widen_decoder(state)
    state["decoder.upsamples.1.upsamples.0.shortcut.weight"] = pair_shortcut(64)
    for name, tensor in fresh.items():
        if name not in state:  # a block that v0 lacks, or a bias
            if name.endswith("residual.6.weight"):
                tensor.zero_()
            continue
        before = state[name]
        if before.shape == tensor.shape:
            fresh[name] = before
            continue
        fresh[name] = with_latents(before, 0.2 * tensor, old_z, z)
    model.load_state_dict(fresh)
    return model


def with_channels(before, tensor):
    """`tensor` with v1's weights in front. New channels are silent: what comes in weighs nothing, what goes out is
    random, so that they learn. Gains hold the norm over more channels where it was."""
    count = before.shape[0]
    if before.dim() == 4 and before.shape[1:] == (1, 1, 1):  # gamma
        tensor.fill_(1)
        tensor[:count] = before * (count / tensor.shape[0]) ** 0.5
        return tensor
    tensor.zero_()
    if before.dim() > 1:
        inputs = before.shape[1]
        new = tensor[:count, inputs:]
        tensor[:count, inputs:] = 0.3 * before.std() * torch.randn_like(new)
        tensor[:count, :inputs] = before
    else:
        tensor[:count] = before
    return tensor


def grow(old):
    """State of a v1 -> a Vae of form v1w that encodes and decodes the same: two more blocks at the encoder's half and
    quarter size, the decoder 24 wide at half size."""
    model = Vae(**FORMS["v1w"])
    fresh, state = model.state_dict(), dict(old)
    for level in (0, 1):
        insert_block(state, f"encoder.downsamples.{level}.downsamples.", 1, 2)
    for name, tensor in fresh.items():
        if name not in state:  # a new block
            if name.endswith(("residual.6.weight", "bias")):
                tensor.zero_()
        elif state[name].shape == tensor.shape:
            fresh[name] = state[name]
        else:
            fresh[name] = with_channels(state[name], tensor)
    model.load_state_dict(fresh)
    return model
