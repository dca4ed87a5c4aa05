"""Muon for the matrices (and convolutions, flattened to [out, rest]) inside a network, AdamW for the rest.

Muon: K. Jordan and others, "Muon: an optimizer for hidden layers in neural networks" (2024); the step is scaled
to AdamW's size as in J. Liu and others, "Muon is scalable for LLM training", arXiv 2502.16982 (0.2 sqrt(max side)).
"""

import torch


def orthogonalise(stack):
    """Newton-Schulz iteration on [N, rows, columns], rows <= columns: all singular values go near 1."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = stack / (stack.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    x = x.bfloat16()
    for _ in range(5):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.float()


class Muon:
    """Works on lists of parameters; `rate` is set by the trainer before every step."""

    def __init__(self, matrices, others, weight_decay=0.01):
        self.groups = {}
        for matrix in matrices:
            self.groups.setdefault((matrix.shape[0], matrix[0].numel()), []).append(matrix)
        self.momentum = {shape: torch.zeros(len(group), *shape) for shape, group in self.groups.items()}
        self.adam = torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0)
        self.weight_decay = weight_decay

    def zero_grad(self):
        self.adam.zero_grad(set_to_none=True)
        for group in self.groups.values():
            for matrix in group:
                matrix.grad = None

    def step(self, rate):
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.adam.step()
        with torch.no_grad():
            for shape, group in self.groups.items():
                gradient = torch.stack([matrix.grad.flatten(1) for matrix in group])
                momentum = self.momentum[shape]
                momentum.lerp_(gradient, 0.05)
                direction = gradient.lerp(momentum, 0.95)
                wide = shape[0] <= shape[1]
                update = orthogonalise(direction if wide else direction.transpose(1, 2))
                update = (update if wide else update.transpose(1, 2)) * (0.2 * max(shape) ** 0.5)
                for matrix, delta in zip(group, update):
                    matrix.mul_(1 - rate * self.weight_decay).add_(delta.view_as(matrix), alpha=-rate)
