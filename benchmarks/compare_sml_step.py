"""One SML-1 training step of a 784 x 500 RBM, batch 100: ebmbench, scikit-learn, torch, interleaved.

    pip install 'ebmbench[peers]'
    python -m benchmarks.compare_sml_step

On the same rows, each in float32 with all cores; `benchmarks/interleaved.py` says how.
"""

import json
import sys

import numpy as np

from benchmarks import interleaved

N_HIDDEN, BATCH, RATE = 500, 100, 0.01
PROCESSES, TURNS, STEPS = 5, 6, 60


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
    """The data's name, and median milliseconds a step of each system in this process."""
    name, rows = data()
    order = np.random.default_rng(0)
    systems = interleaved.build(SYSTEMS, rows)
    return name, interleaved.measure(
        systems, lambda: order.choice(len(rows), BATCH, replace=False), TURNS, STEPS
    )


def main():
    """Collect the processes' medians and print the table."""
    samples = interleaved.samples("benchmarks.compare_sml_step", PROCESSES)
    name = samples[0][0]
    title = f"SML-1 step, 784 x {N_HIDDEN}, batch {BATCH}, {name}, {PROCESSES} processes"
    interleaved.print_ratios(title, [times for _, times in samples])


if __name__ == "__main__":
    if "--one" in sys.argv:
        print(json.dumps(measure()))
    else:
        main()
