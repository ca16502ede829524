"""One SML-1 training step of a 784 x 500 RBM, batch 100: ebmbench, scikit-learn, torch, interleaved.

    pip install 'ebmbench[peers]'
    python benchmarks/compare_sml_step.py

Every process runs all systems in turn (A B C, C B A, ...) on the same rows, each in float32 with all
cores; its sample is the median of its turns. The figures are medians over processes of the ratio to
ebmbench, with the smallest and the largest.
"""

import json
import os
import subprocess
import sys
from time import perf_counter, sleep

import numpy as np

N_HIDDEN, BATCH, RATE = 500, 100, 0.01
PROCESSES, TURNS, STEPS = 5, 6, 60
REST_S = 0.2  # until the threads of the system before have stopped spinning


def ebmbench_step(rows):
    """The library's own loop: estimator, momentum, update of W and of its transpose."""
    from benchmarks.surface import SGD, Fit, initial_model, pass_the_gate

    k = pass_the_gate()
    fit = Fit(k, initial_model(rows, N_HIDDEN, 0), rows, "sml", {}, SGD(RATE, 0.5), 10**6, BATCH)
    return lambda batches: fit.advance(len(batches))


def sklearn_step(rows):
    """BernoulliRBM.partial_fit: SML-1 without momentum, float32."""
    from sklearn.neural_network import BernoulliRBM

    rbm = BernoulliRBM(N_HIDDEN, learning_rate=RATE, batch_size=BATCH, random_state=0)
    data = rows.astype(np.float32)

    def steps(batches):
        for batch in batches:
            rbm.partial_fit(data[batch])

    return steps


def torch_step(rows):
    """Plain torch float32: addmm, `rand < sigmoid`, momentum, in-place updates, no gradient tape."""
    import torch

    torch.manual_seed(0)
    data = torch.from_numpy(rows.astype(np.float32))
    W = torch.randn(rows.shape[1], N_HIDDEN) * 0.01
    b, c = torch.zeros(rows.shape[1]), torch.zeros(N_HIDDEN)
    velocity = [torch.zeros_like(p) for p in (W, b, c)]
    chains = (torch.rand(BATCH, rows.shape[1]) < 0.13).float()

    @torch.inference_mode()
    def steps(batches):
        nonlocal chains
        for index in batches:
            batch = data[torch.from_numpy(index)]
            h = torch.addmm(c, chains, W).sigmoid_()
            h = (torch.rand_like(h) < h).float()
            v = torch.addmm(b, h, W.T).sigmoid_()
            chains = (torch.rand_like(v) < v).float()
            p_data = torch.addmm(c, batch, W).sigmoid_()
            p_model = torch.addmm(c, chains, W).sigmoid_()
            gradient = batch.T @ p_data
            gradient.addmm_(chains.T, p_model, alpha=-1)
            gradients = gradient, batch.sum(0) - chains.sum(0), p_data.sum(0) - p_model.sum(0)
            for parameter, speed, g in zip((W, b, c), velocity, gradients, strict=True):
                speed.mul_(0.5).add_(g, alpha=RATE / len(batch))
                parameter.add_(speed)

    return steps


SYSTEMS = {"ebmbench": ebmbench_step, "scikit-learn": sklearn_step, "torch": torch_step}


def data():
    """Binarised MNIST where it is to be had, else rows of the same size and on-rate."""
    from benchmarks.surface import load_dataset, mnist_sized_rows

    try:
        return "binarized_mnist", load_dataset("binarized_mnist").train[:10_000]
    except ValueError:
        return "random rows, 13 % on", mnist_sized_rows(10_000)


def measure():
    """Median milliseconds a step of each system in this process."""
    name, rows = data()
    order = np.random.default_rng(0)
    systems = {}
    for system, build in SYSTEMS.items():
        try:
            systems[system] = build(rows)
        except ModuleNotFoundError as error:
            print(f"# {system} left out: {error}", file=sys.stderr)
    times = {system: [] for system in systems}
    for turn in range(-1, TURNS):  # turn -1 warms up
        for system in list(systems)[:: 1 if turn % 2 else -1]:
            batches = [order.choice(len(rows), BATCH, replace=False) for _ in range(STEPS + 5)]
            sleep(REST_S)
            systems[system](batches[STEPS:])
            started = perf_counter()
            systems[system](batches[:STEPS])
            if turn >= 0:
                times[system].append((perf_counter() - started) / STEPS * 1e3)
    return name, {system: float(np.median(values)) for system, values in times.items()}


def main():
    """Collect the processes' medians and print the table."""
    samples = []
    # A peer's BLAS shall choose its kernels for this processor, whatever the shell says.
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    for _ in range(PROCESSES):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.compare_sml_step", "--one"],
            check=True, capture_output=True, text=True, env=environment,
        )  # fmt: skip
        samples.append(json.loads(done.stdout))
    print(f"SML-1 step, 784 x {N_HIDDEN}, batch {BATCH}, {samples[0][0]}, {PROCESSES} processes")
    print(f"{'system':14}{'ms a step':>12}{'ratio to ebmbench (least to most)':>40}")
    for system in samples[0][1]:
        ratios = [times[system] / times["ebmbench"] for _, times in samples]
        ms = np.median([times[system] for _, times in samples])
        print(f"{system:14}{ms:12.3f}{np.median(ratios):18.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    if "--one" in sys.argv:
        print(json.dumps(measure()))
    else:
        main()
