"""Sweeps that draw the units one after the other: Gibbs sampling, or ancestral where W is directed.

Undirected machines of few units walk in `small`. Else a chain keeps the inputs of all units and adds the
row of W of each unit that changes, so a sweep costs its flips. Of a network only units that are yet to
come hear one: half a row, and what the state was before plays no part, so that each sweep is an
independent draw.

Units wait for each other, and so for as little as can be: their uniforms become log odds beforehand, in
vectors, and then each takes a comparison. With 784 units and 100 flips a sweep: 784 comparisons of about
5 cycles, flips that are guessed wrong, 20 each, and rows of 3 KB, added from the L2 cache, 100 each: some
16,000 cycles. A thread of a Zen 4 at 2.6 GHz takes 11,600 for a sweep of a machine of binarised MNIST.
"""

from collections.abc import Iterator

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.chain import REFRESH
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.graph import small
from ebmbench.kernels.cpu.statistics import padded_inputs
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.kernels.cpu.uniforms import fill_uniforms
from ebmbench.randomness import VISIBLE, Key
from ebmbench.scalar import between, logit


@inner(forceinline=True)
def add_row(row, change, x):
    """X += change times a row of W; change is 1 or -1, or a grey state's way to 0 or 1."""
    for j in range(x.size):
        x[j] += np.float32(change * row[j])


@inner
def log_odds(odds, chain, step, seed, stream):
    """Fill odds, float32 [padded], with the log odds at which a chain's units come on."""
    fill_uniforms(odds, chain, step, seed, stream + VISIBLE)
    for i in range(odds.size):
        odds[i] = logit(odds[i])


@inner(forceinline=True)
def turn(W, i, on, directed, state, x):
    """Unit i is on or off, 1 or 0 as float32: all that it changes."""
    change = np.float32(on - state[i])
    if change != np.float32(0.0):
        state[i] = on
        first = i // LANES * LANES if directed else 0
        add_row(W[i, first:], change, x[first:])


@inner
def sweep(W, base, rest, beta, directed, odds, state, x, chain, step, seed, stream):
    """Draw every unit given all others as they stand, at log odds rest base + beta x.

    state: float32 [n_visible]; x: b + state W, float32 [padded], which follows; base: float32 [padded];
    rest, beta: float32; odds: float32 [padded], scratch.
    """
    log_odds(odds, chain, step, seed, stream)
    for i in range(state.size):
        turn(W, i, np.float32(odds[i] < between(rest, base[i], beta, x[i])), directed, state, x)


@jit(parallel=True)
def _sweeps(W, base, state, x, first, last, beta, directed, seed, stream, step, chain):
    none = np.float32(0.0)
    for r in prange(state.shape[0]):
        odds = np.empty_like(base)
        for t in range(first, last):
            now = step + np.uint64(t)
            sweep(W, base, none, beta, directed, odds, state[r], x[r], chain + r, now, seed, stream)


def inputs(model, rows):
    """B + rows W, float32 [rows, padded]."""
    return padded_inputs(model.W, model.b, rows)


def stretches(first: int, last: int) -> Iterator[tuple[int, int]]:
    """The steps from first to last, `REFRESH` at a time.

    What follows units for longer would gather the rounding of each row that is added.
    """
    for now in range(first, last, REFRESH):
        yield now, min(now + REFRESH, last)


def sweep_work(model, rows: int, steps: int) -> float:
    """See `threads.launch`."""
    return steps * layer_work(rows, model.n_visible, model.n_visible)


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    if not model.directed and model.n_visible <= small.LARGEST:
        return small.gibbs(model, v, steps, key, beta)
    state, base = v.astype(np.float32), np.zeros_like(model.b)
    work = sweep_work(model, len(v), steps)
    for first, last in stretches(0, steps):
        launch(
            _sweeps, work, model.W, base, state, inputs(model, state), first, last, np.float32(beta),
            model.directed, key.seed, int(key.stream), np.uint64(key.step), key.chain,
        )  # fmt: skip
    return state.astype(np.uint8), np.empty((len(v), 0), np.uint8)


JOBS = {"gibbs": gibbs}
