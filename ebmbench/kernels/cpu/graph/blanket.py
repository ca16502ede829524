"""Units of a Bayesian network that are drawn given all others, their Markov blanket, and evidence.

That unit i comes on multiplies 1 + e**x_j of a child by t_j = sigmoid(-x_j) + sigmoid(x_j) e**W_ij, and
that it goes off by the same with e**-W_ij: as in `cpu.flips`, one logarithm a unit. So a sweep costs a
multiply-add and a product for each pair of units, 307,000 of 784: 40 us in vectors of 16, and sigmoids of
the children of each unit that flips, 100 x 392 of 0.5 ns, 20 us. What a unit adds to children that are on
follows what flips, as does what it hears of its parents. A thread of a Zen 4 takes 80 us.
"""

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.errors import NotFinite
from ebmbench.kernels.cpu.device import store
from ebmbench.kernels.cpu.flips import LARGEST_WEIGHT, exponentials, log_product
from ebmbench.kernels.cpu.graph.gibbs import add_row, inputs, log_odds, stretches, turn
from ebmbench.kernels.cpu.simd import STRIDE
from ebmbench.kernels.cpu.statistics import padded_inputs
from ebmbench.kernels.cpu.threads import group_size, launch
from ebmbench.randomness import Key
from ebmbench.scalar import probability, sigmoid

_ZERO = np.float32(0.0)
_CERTAIN = np.float32(1e20)  # evidence beyond all that children may say
_TOGETHER = 16  # rows whose inputs and sigmoids, of 784 units, fit a core's cache beside a row of weights


@inner
def _spread(x, on, off):
    """On = sigmoid(x), off = sigmoid(-x), since 1 - on cancels where on is near 1.

    As small as they come, since a weight may raise them by e**80.
    """
    for j in range(x.size):
        on[j], off[j] = sigmoid(x[j]), sigmoid(np.float32(-x[j]))


@inner
def _of_children(e, on, off, t, widest):
    """By how much the sum of log(1 + e**x) over children changes where their x do.

    And over others, which weights of 0 change by nothing: whole strides are faster.
    """
    for j in range(on.size):
        t[j] = off[j] + on[j] * e[j]
    return log_product(t, on.size, widest)


@jit(parallel=True)
def _walks(
    W, Wt, up, down, widest, size, state, x, y, total, first, last, burn_in, seed, stream, step, chain
):
    """x: what units hear of their parents; y: what they add to children that are on, and evidence."""
    rows, n = state.shape
    for group in prange((rows + size - 1) // size):
        top = group * size
        count = min(size, rows - top)
        odds = np.empty((count, W.shape[1]), np.float32)
        width = up.shape[1]
        on, off = np.zeros((count, width), np.float32), np.ones((count, width), np.float32)
        t = np.empty(width, np.float32)
        for r in range(count):
            _spread(x[top + r, :n], on[r, :n], off[r, :n])
        for sweep in range(first, last):
            for r in range(count):
                log_odds(odds[r], chain + top + r, step + np.uint64(sweep), seed, stream)
            for i in range(n):  # of all rows in turn, while what i weighs is in the cache
                after, near = slice(i + 1, n), slice((i + 1) // STRIDE * STRIDE, width)
                for r in range(count):
                    v, heard, said = state[top + r], x[top + r], y[top + r]
                    z = np.float32(heard[i] + said[i])
                    if abs(said[i]) < _CERTAIN:
                        if v[i] == _ZERO:
                            gone = _of_children(up[i, near], on[r, near], off[r, near], t, widest[i])
                        else:
                            gone = -_of_children(down[i, near], on[r, near], off[r, near], t, widest[i])
                        z = np.float32(z - gone)
                    drawn = np.float32(odds[r, i] < z)
                    if drawn != v[i]:
                        add_row(Wt[i], drawn - v[i], said)
                        turn(W, i, drawn, True, v, heard)
                        _spread(heard[after], on[r, after], off[r, after])
                    if sweep >= burn_in:
                        total[top + r, i] += np.float64(probability(z))


def posterior(model, v, evidence, sweeps: int, burn_in: int, key: Key) -> np.ndarray:
    """See `Backend.posterior`; `NotFinite` where a weight is too large for flips."""
    widest = np.abs(model.W).max(axis=1).astype(np.float64)
    if widest.max() > LARGEST_WEIGHT:
        raise NotFinite(f"a weight is beyond +-{LARGEST_WEIGHT:g}, where flips overflow")
    state, total = v.astype(np.float32), np.zeros(v.shape)
    width = -(-model.W.shape[1] // STRIDE) * STRIDE
    up, down = np.ones((len(model.W), width), np.float32), np.ones((len(model.W), width), np.float32)
    launch(exponentials, model.W.size, model.W, up, down)
    work, Wt = sweeps * len(v) * model.W.size / 4, store(model.W[:, : model.n_visible].T)
    size = group_size(len(v), _TOGETHER)
    for first, last in stretches(0, sweeps):
        y = padded_inputs(Wt, np.zeros_like(model.b), state)
        y[:, : model.n_visible] += evidence
        launch(
            _walks, work, model.W, Wt, up, down, widest, size, state, inputs(model, state), y, total,
            first, last, burn_in, key.seed, int(key.stream), np.uint64(key.step), key.chain,
        )  # fmt: skip
    return total / (sweeps - burn_in)


JOBS = {"posterior": posterior}
