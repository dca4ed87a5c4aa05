"""Names and shapes of the tensors of Wan's models at any size, as worker/model reads them."""


def transformer(dim, ffn, layers, channels=16, in_channels=None, text_dim=4096, time_dim=256):
    """wan/modules/model.py: 1536, 8960, 30 is the 1.3B; 5120, 13824, 40 the 14B."""
    found = [("patch_embedding.weight", "weight", (dim, in_channels or channels, 1, 2, 2)), ("patch_embedding.bias", "weight", (dim,))]

    def linear(name, outputs, inputs):
        found.extend([(name + ".weight", "weight", (outputs, inputs)), (name + ".bias", "weight", (outputs,))])

    linear("text_embedding.0", dim, text_dim)
    linear("text_embedding.2", dim, dim)
    linear("time_embedding.0", dim, time_dim)
    linear("time_embedding.2", dim, dim)
    linear("time_projection.1", 6 * dim, dim)
    for layer in range(layers):
        block = f"blocks.{layer}."
        found.append((block + "modulation", "weight", (1, 6, dim)))
        for attention in ("self_attn.", "cross_attn."):
            for part in "qkvo":
                linear(block + attention + part, dim, dim)
            found.extend((block + attention + norm + ".weight", "gain", (dim,)) for norm in ("norm_q", "norm_k"))
        found.extend([(block + "norm3.weight", "gain", (dim,)), (block + "norm3.bias", "weight", (dim,))])
        linear(block + "ffn.0", ffn, dim)
        linear(block + "ffn.2", dim, ffn)
    linear("head.head", channels * 4, dim)
    found.append(("head.modulation", "weight", (1, 2, dim)))
    return found


def text_encoder(vocabulary, dim, ffn, layers, heads):
    """wan/modules/t5.py: 256384, 4096, 10240, 24, 64 is UMT5-XXL's encoder."""
    found = [("token_embedding.weight", "weight", (vocabulary, dim)), ("norm.weight", "gain", (dim,))]
    for layer in range(layers):
        block = f"blocks.{layer}."
        found += [(block + f"attn.{part}.weight", "weight", (dim, dim)) for part in "qkvo"]
        found += [(block + f"norm{i}.weight", "gain", (dim,)) for i in (1, 2)]
        found += [(block + "ffn.gate.0.weight", "weight", (ffn, dim)), (block + "ffn.fc1.weight", "weight", (ffn, dim)),
                  (block + "ffn.fc2.weight", "weight", (dim, ffn)),
                  (block + "pos_embedding.embedding.weight", "weight", (32, heads))]
    return found


def vae(width, channels):
    """wan/modules/vae.py, form 2.1: 96, 16 is Wan's."""
    found = []

    def conv(name, outputs, inputs, *kernel):
        found.extend([(name + ".weight", "weight", (outputs, inputs, *kernel)), (name + ".bias", "weight", (outputs,))])

    def residual(name, inputs, outputs):
        found.append((name + ".residual.0.gamma", "gain", (inputs, 1, 1, 1)))
        conv(name + ".residual.2", outputs, inputs, 3, 3, 3)
        found.append((name + ".residual.3.gamma", "gain", (outputs, 1, 1, 1)))
        conv(name + ".residual.6", outputs, outputs, 3, 3, 3)
        if inputs != outputs:
            conv(name + ".shortcut", outputs, inputs, 1, 1, 1)

    def middle(name, size):
        residual(name + ".0", size, size)
        found.append((name + ".1.norm.gamma", "gain", (size, 1, 1)))
        conv(name + ".1.to_qkv", 3 * size, size, 1, 1)
        conv(name + ".1.proj", size, size, 1, 1)
        residual(name + ".2", size, size)

    def head(name, inputs, outputs):
        found.append((name + ".head.0.gamma", "gain", (inputs, 1, 1, 1)))
        conv(name + ".head.2", outputs, inputs, 3, 3, 3)

    sizes = [width, 2 * width, 4 * width, 4 * width]
    conv("encoder.conv1", width, 3, 3, 3, 3)
    number, inputs = 0, width
    for level, size in enumerate(sizes):
        for _ in range(2):
            residual(f"encoder.downsamples.{number}", inputs, size)
            number, inputs = number + 1, size
        if level < 3:
            conv(f"encoder.downsamples.{number}.resample.1", size, size, 3, 3)
            if level > 0:
                conv(f"encoder.downsamples.{number}.time_conv", size, size, 3, 1, 1)
            number += 1
    middle("encoder.middle", sizes[-1])
    head("encoder", sizes[-1], 2 * channels)
    conv("conv1", 2 * channels, 2 * channels, 1, 1, 1)
    conv("conv2", channels, channels, 1, 1, 1)
    conv("decoder.conv1", sizes[-1], channels, 3, 3, 3)
    middle("decoder.middle", sizes[-1])
    number, inputs = 0, sizes[-1]
    for level, size in enumerate(reversed(sizes)):
        for _ in range(3):
            residual(f"decoder.upsamples.{number}", inputs, size)
            number, inputs = number + 1, size
        if level < 3:
            conv(f"decoder.upsamples.{number}.resample.1", size // 2, size, 3, 3)
            if level < 2:
                conv(f"decoder.upsamples.{number}.time_conv", 2 * size, size, 3, 1, 1)
            number, inputs = number + 1, size // 2
    head("decoder", width, 3)
    return found


def write(found, file):
    """As the driver reads them; the file's path."""
    file.write_text("".join(f"{name} {kind} {' '.join(map(str, shape))}\n" for name, kind, shape in found))
    return file


def parameters(found):
    total = 0
    for _, _, shape in found:
        count = 1
        for size in shape:
            count *= size
        total += count
    return total
