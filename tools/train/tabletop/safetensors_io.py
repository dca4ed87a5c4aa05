"""Reading and writing safetensors files (F32, F16, BF16, I64, U8) with numpy and torch only."""

import json
import struct

import numpy as np
import torch

_READ = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I64": np.int64, "U8": np.uint8}


def load(path):
    """Returns ({name: tensor}, metadata). F16 and BF16 are widened to float32, exactly."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = np.frombuffer(data[begin:end], dtype=_READ[entry["dtype"]])
        if entry["dtype"] == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        elif entry["dtype"] == "F16":
            array = array.astype(np.float32)
        tensors[name] = torch.from_numpy(array.reshape(entry["shape"]).copy())
    return tensors, metadata


def save(path, tensors, metadata):
    """Writes {name: float32, float16 or bfloat16 tensor}; metadata values are strings."""
    header, blobs, offset = {"__metadata__": metadata}, [], 0
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous()
        if tensor.dtype == torch.bfloat16:
            blob, kind = tensor.view(torch.int16).numpy().tobytes(), "BF16"
        elif tensor.dtype == torch.float16:
            blob, kind = tensor.numpy().tobytes(), "F16"
        else:
            blob, kind = tensor.float().numpy().tobytes(), "F32"
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for blob in blobs:
            file.write(blob)
