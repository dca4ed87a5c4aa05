"""Gradients from several one-thread processes, without waiting for the slower ones.

Weights live in shared memory. Helpers compute gradients of their own batches with whatever the weights are at that
moment and add them to a shared buffer; the trainer adds its own batch, takes what has arrived, and steps. On a
machine that is busy with other work the helpers slow down and the trainer does not (OpenMP threads would make it
wait for the slowest at every layer).
"""

import os

import torch
import torch.multiprocessing as multiprocessing


def fill_gradients(parameters):
    """Gives a zero gradient to what this batch did not use (time resampling, when it trains on single frames)."""
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)


def flat_gradients(parameters):
    return torch.cat([p.grad.flatten() for p in parameters])


class Helpers:
    """`compute(index)` runs one batch's loss.backward() on the shared model in a helper process, forever."""

    def __init__(self, parameters, count, setup, compute):
        self.parameters = parameters
        for parameter in parameters:
            parameter.data.share_memory_()
        size = sum(p.numel() for p in parameters)
        self.buffer = torch.zeros(size).share_memory_()
        self.arrived = torch.zeros(1, dtype=torch.long).share_memory_()
        self.lock = multiprocessing.get_context("fork").Lock()
        parent = os.getpid()
        self.processes = []
        for index in range(count):
            process = multiprocessing.get_context("fork").Process(
                target=self._work, args=(index, parent, setup, compute), daemon=True)
            process.start()
            self.processes.append(process)

    def _work(self, index, parent, setup, compute):
        os.setsid()  # a scheduling group of its own: takes only its fair share
        torch.set_num_threads(1)
        setup(index + 1)
        while os.getppid() == parent:
            for parameter in self.parameters:
                parameter.grad = None
            compute()
            fill_gradients(self.parameters)
            gradient = flat_gradients(self.parameters)
            if not torch.isfinite(gradient).all():
                continue
            with self.lock:
                self.buffer += gradient
                self.arrived += 1

    def collect(self):
        """Turns .grad of the trainer's batch into the mean over it and all that arrived; returns the batch count."""
        with self.lock:
            count = int(self.arrived) + 1
            if count == 1:
                return 1
            extra = self.buffer.clone()
            self.buffer.zero_()
            self.arrived.zero_()
        offset = 0
        for parameter in self.parameters:
            part = extra[offset:offset + parameter.numel()].view_as(parameter)
            parameter.grad.add_(part).div_(count)
            offset += parameter.numel()
        return count

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.join()
