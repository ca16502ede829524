"""Pseudolikelihood and ratio matching, gradient included, 784 x 500, batch 100: ebmbench, torch, NumPy.

    pip install 'ebmbench[peers]'
    python -m benchmarks.compare_flips

The peers are vectorised as one would write them: an array [batch, n_visible, n_hidden] of the flipped
pre-activations, float32; torch differentiates by its tape, NumPy by hand. Before anything is timed all
must agree on value and gradient. Memory is the process's peak above what it held before the call, a
process each (Linux). `benchmarks/interleaved.py` says how times are compared.
"""

import ctypes
import json
import sys
from pathlib import Path

import numpy as np

from benchmarks import interleaved

JOBS = ("pseudolikelihood", "ratio_matching")
BATCH = 100
PROCESSES, TURNS, STEPS = 5, 3, 2


def ebmbench_gradient(job):
    """The job of the cpu backend; gives (value, gradient of W) of a batch."""
    from benchmarks.surface import mnist_sized_model, pass_the_gate

    k = pass_the_gate()
    handle = k.put(mnist_sized_model())

    def one(rows):
        phases, value = getattr(k, job)(handle, k.put_rows(rows))
        return value, phases.gradient["W"][:, : handle.n_hidden]

    return one


def torch_gradient(job):
    """Plain torch float32 with a gradient tape."""
    import torch

    from benchmarks.surface import mnist_sized_model

    model = mnist_sized_model()
    W, b, c = (
        torch.tensor(x, dtype=torch.float32, requires_grad=True) for x in (model.W, model.b, model.c)
    )
    softplus, logsigmoid = torch.nn.functional.softplus, torch.nn.functional.logsigmoid

    def one(rows):
        v = torch.from_numpy(rows.astype(np.float32))
        x = torch.addmm(c, v, W)
        sign = 1 - 2 * v
        flipped = softplus(x[:, None, :] + sign[:, :, None] * W).sum(2)
        d = -sign * b - flipped + softplus(x).sum(1, keepdim=True)
        each = logsigmoid(d) if job == "pseudolikelihood" else -(torch.sigmoid(-d) ** 2)
        value = each.sum(1).mean()
        gradient, *_ = torch.autograd.grad(value, (W, b, c))
        return float(value.detach()), gradient.numpy()

    return one


def numpy_gradient(job):
    """NumPy float32, the gradient by hand, all flips of all rows at once."""
    from benchmarks.surface import mnist_sized_model

    model = mnist_sized_model()
    W, b, c = (x.astype(np.float32) for x in (model.W, model.b, model.c))

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def softplus(x):  # NumPy vectorises this, but not logaddexp
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    def one(rows):
        v = rows.astype(np.float32)
        x = c + v @ W
        sign = 1 - 2 * v
        moved = x[:, None, :] + sign[:, :, None] * W
        d = -sign * b - (softplus(moved) - softplus(x)[:, None, :]).sum(2)
        if job == "pseudolikelihood":
            value, a = -softplus(-d), sigmoid(-d)
        else:
            g = sigmoid(-d)
            value, a = -(g**2), 2 * g**2 * (1 - g)
        flipped = sigmoid(moved)
        change = np.einsum("bi,bij->bj", a, flipped) - a.sum(1, keepdims=True) * sigmoid(x)
        gradient = -np.einsum("bi,bij->ij", a * sign, flipped) - v.T @ change
        return float(value.sum(1).mean()), gradient / len(v)

    return one


SYSTEMS = {"ebmbench": ebmbench_gradient, "torch": torch_gradient, "numpy": numpy_gradient}


def agree(systems, rows):
    """Every system's value and gradient are those of the first; float32 sums of 392,000 terms."""
    values = {name: one(rows) for name, one in systems.items()}
    value, gradient = values["ebmbench"]
    for name, (other, theirs) in values.items():
        if not (abs(other - value) < 2e-3 * abs(value) and np.abs(theirs - gradient).max() < 2e-4):
            raise RuntimeError(f"{name} disagrees: {other} against {value}")


def measure(job):
    """Median milliseconds a gradient of each system in this process."""
    from benchmarks.surface import mnist_sized_rows

    rows = mnist_sized_rows(5_000)
    order = np.random.default_rng(0)
    systems = interleaved.build(SYSTEMS, job)
    agree(systems, rows[:BATCH])
    loops = {name: lambda given, f=one: [f(batch) for batch in given] for name, one in systems.items()}
    return interleaved.measure(loops, lambda: rows[order.choice(len(rows), BATCH)], TURNS, STEPS)


def peak_mib(job, system):
    """MiB of resident memory that one gradient needs at its peak, after one that warmed up."""
    from benchmarks.surface import mnist_sized_rows

    rows = mnist_sized_rows(BATCH)
    one = SYSTEMS[system](job)
    one(rows)

    def kilobytes(field):
        status = Path("/proc/self/status").read_text()
        return int(status.split(f"{field}:")[1].split()[0])

    ctypes.CDLL(None).malloc_trim(0)  # what was freed must not serve again unseen
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from what is resident now
    before = kilobytes("VmRSS")
    one(rows)
    return (kilobytes("VmHWM") - before) / 1024


def main():
    """Collect the processes' figures and print the tables."""
    for job in JOBS:
        title = f"{job}, value and gradient, 784 x 500, batch {BATCH}, {PROCESSES} processes"
        times = interleaved.samples("benchmarks.compare_flips", PROCESSES, job)
        interleaved.print_ratios(title, times)
        for system in times[0]:
            (mib,) = interleaved.samples("benchmarks.compare_flips", 1, job, system)
            print(f"{system:22}{mib:12.1f} MiB at the peak of a call")


if __name__ == "__main__":
    if "--one" not in sys.argv:
        main()
    elif len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[2])))
    else:
        print(json.dumps(peak_mib(*sys.argv[2:])))
