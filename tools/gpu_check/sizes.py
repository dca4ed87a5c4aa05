"""What is measured, at the sizes of a GPU and at those of the software device."""

GPU = {
    "seeds": range(1, 9),  # eight shapes of each operation
    "longest": 1500,  # sequence of an attention case
    "fragments": {"sparser": 1},
    "rounds": 5,
    "round_ms": 15.0,  # about; launches of a round
    "product": 8192,
    "attention": [(length, heads, 128) for length in (8192, 32760, 75600) for heads in (12, 24, 40)],
    "sparse": [(length, 24, 128, key_tile, density)
               for length in (32760, 75600) for key_tile in (128, 64) for density in (0.5, 0.25, 0.1)],
    "rows": (32760, 5120),
    "warm_rounds": 1,
}

EMULATED = {
    "seeds": range(1, 9),
    "longest": 150,
    "fragments": {"sparser": 16},
    "rounds": 5,
    "round_ms": 0.0,
    "product": 64,
    "attention": [(150, 2, 128), (150, 2, 64)],
    "sparse": [(300, 1, 128, 64, 0.5), (300, 1, 128, 128, 0.25)],
    "rows": (64, 256),
    "warm_rounds": 0,
}
