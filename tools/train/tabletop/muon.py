"""Muon for the matrices (and convolutions, flattened to [out, rest]) inside a network, AdamW for the rest.

Muon: K. Jordan and others, "Muon: an optimizer for hidden layers in neural networks" (2024); the step is scaled
to AdamW's size as in J. Liu and others, "Muon is scalable for LLM training", arXiv 2502.16982 (0.2 sqrt(max side)).
"""

import torch


def orthogonalise(stack):
    """Newton-Schulz iteration on [N, rows, columns], rows <= columns: all singular values go near 1. Every step is a
    polynomial of x x^T, so the steps are taken on these small matrices and x is multiplied once, at the end."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = stack / (stack.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    gram, same = x @ x.transpose(1, 2), torch.eye(x.shape[1])
    product = same
    for _ in range(5):
        step = a * same + b * gram + c * (gram @ gram)
        product = step @ product
        gram = step @ gram @ step
    return product @ x


class Muon:
    """Works on lists of parameters; `rate` is set by the trainer before every step."""

    def __init__(self, matrices, others, weight_decay=0.01, others_share=1.0):
        """`others_share`: the rate of AdamW's parameters over that of the matrices."""
        self.others_share = others_share
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

    def state(self):
        return {"momentum": self.momentum, "adam": self.adam.state_dict()}

    def load_state(self, state):
        """Takes over the state of an optimiser of the same parameters."""
        for shape, momentum in state["momentum"].items():
            self.momentum[shape].copy_(momentum)
        self.adam.load_state_dict(state["adam"])

    def step(self, rate):
        for group in self.adam.param_groups:
            group["lr"] = rate * self.others_share
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
