"""What is measured, at the sizes of a GPU and at those of the software device."""

GPU = {
    "seeds": range(1, 9),  # eight shapes of each operation
    "longest": 600,  # sequence of an attention case
    "fragments": {"sparser": 1},
    "rounds": 5,
    "pass_rounds": 5,  # of whole models
    "round_ms": 15.0,  # about; launches of a round
    "product": 8192,
    "attention": [(length, heads, 128) for length in (8192, 32760, 75600) for heads in (12, 24, 40)],
    "sparse": [(length, 24, 128, key_tile, density)
               for length in (32760, 75600) for key_tile in (128, 64) for density in (0.5, 0.25, 0.1)],
    "rows": (16384, 5120),
    # Latents of 832x480 x 81; small ones are compared in fp32.
    "transformers": {
        "Wan-1.3B": {"dim": 1536, "ffn": 8960, "layers": 30, "channels": 16, "text_dim": 4096, "head_dim": 128, "text_len": 512,
                     "latent": (21, 60, 104), "small": (3, 30, 52)},
        "Wan-14B": {"dim": 5120, "ffn": 13824, "layers": 40, "channels": 16, "text_dim": 4096, "head_dim": 128, "text_len": 512,
                    "latent": (21, 60, 104), "small": (2, 16, 26)},
    },
    "vae": {"width": 96, "channels": 16, "latent": (21, 60, 104), "small": (3, 16, 16),
            "runs": [("f32", 128), ("bf16", 128), ("bf16", 4096)]},
    "text": {"vocabulary": 256384, "dim": 4096, "ffn": 10240, "layers": 24, "heads": 64},
    "draft": {"transformer": "Wan-1.3B", "tokens": 120, "pixels": "bf16", "limit_mb": 4096, "small": 16},
    "tabletop": (9, 6, 10, None, 5),  # its own size and steps
}

EMULATED = {
    "seeds": range(1, 4),  # the kernels' tests run more of them
    "longest": 150,
    "fragments": {"sparser": 16},
    "rounds": 2,
    "pass_rounds": 1,
    "round_ms": 0.0,
    "product": 64,
    "attention": [(150, 2, 128), (150, 2, 64)],
    "sparse": [(300, 1, 128, 64, 0.5), (300, 1, 128, 128, 0.25)],
    "rows": (64, 256),
    "transformers": {
        "small": {"dim": 128, "ffn": 256, "layers": 2, "channels": 4, "text_dim": 64, "head_dim": 64, "text_len": 16,
                  "latent": (1, 2, 4), "small": (1, 4, 4)},
    },
    "vae": {"width": 8, "channels": 4, "latent": (2, 2, 2), "small": (1, 2, 2), "runs": [("f32", 128), ("bf16", 128)]},
    "text": {"vocabulary": 96, "dim": 64, "ffn": 128, "layers": 2, "heads": 2},
    "draft": {"transformer": "small", "tokens": 9, "pixels": "bf16", "limit_mb": 128, "small": 2},
    "tabletop": (1, 2, 2, 1, 1),
}
