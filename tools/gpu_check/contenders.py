"""Who computes attention beside us: each times itself on buffers of its own and says how near its rows are."""
import math


class Ours:
    """A form of our kernel, in the driver process; the size was opened there before."""

    def __init__(self, check, form):
        self.ask, self.form, self.name = check.ask, form, "ours " + form

    def time(self, launches):
        return self.ask("attention_time", timeout=60, form=self.form, launches=launches)["ms"]

    def compare(self):
        return self.ask("attention_compare", timeout=60, form=self.form)

    def close(self):
        pass


class Torch:
    """torch's scaled_dot_product_attention, forced to one backend. Left alone, torch takes FLASH before cuDNN."""

    def __init__(self, backend, length, heads, width):
        import torch
        from torch.nn.attention import SDPBackend
        self.torch = torch
        self.name = "torch " + backend
        self.backend = {"cuDNN": SDPBackend.CUDNN_ATTENTION, "FLASH": SDPBackend.FLASH_ATTENTION}[backend]
        count = 2 if length * heads * width * 6 > 1 << 27 else 4
        make = lambda: torch.randn(1, length, heads, width, device="cuda", dtype=torch.bfloat16).transpose(1, 2)
        self.sets = [(make(), make(), make()) for _ in range(count)]
        self.next = 0

    def run(self, q, k, v):
        from torch.nn.attention import sdpa_kernel
        with sdpa_kernel([self.backend]):
            return self.torch.nn.functional.scaled_dot_product_attention(q, k, v)

    def once(self):
        self.next = (self.next + 1) % len(self.sets)
        return self.run(*self.sets[self.next])

    def time(self, launches):
        cuda = self.torch.cuda
        begin, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
        self.once()
        begin.record()
        for _ in range(launches):
            self.once()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / launches

    def compare(self):
        torch = self.torch
        q, k, v = self.sets[0]
        length, heads = q.shape[2], q.shape[1]
        rows = [0, length // 3, length // 2 + 1, length - 1]
        found = self.run(q, k, v)
        values, expected = [], []
        for head in (0, heads - 1):
            scores = q[0, head, rows].double() @ k[0, head].double().T / math.sqrt(q.shape[3])
            expected.append(torch.softmax(scores, -1) @ v[0, head].double())
            values.append(found[0, head, rows].double())
        a, b = torch.cat(values).flatten(), torch.cat(expected).flatten()
        distance = float((a - b).norm() / b.norm())
        return {"rel_l2": distance, "cosine": float(a @ b / (a.norm() * b.norm())), "ok": distance <= 3e-3}

    def close(self):
        self.sets = []
        self.torch.cuda.empty_cache()


def torch_backends(emulated):
    """The names of torch's backends that this machine can be asked for, and why there are none."""
    if emulated:
        return [], ""
    try:
        import torch
    except ImportError:
        return [], "torch is not installed: nothing to compare attention with"
    try:
        import torch.nn.attention  # noqa: F401
    except ImportError:
        return [], f"torch {torch.__version__} cannot be told which attention to use: nothing to compare with"
    if not torch.cuda.is_available():
        return [], f"torch {torch.__version__} sees no GPU: nothing to compare attention with"
    return ["cuDNN", "FLASH"], ""


def torch_versions():
    try:
        import torch
    except ImportError:
        return {}
    return {"torch": torch.__version__, "torch_cuda": torch.version.cuda,
            "torch_cudnn": torch.backends.cudnn.version()}
