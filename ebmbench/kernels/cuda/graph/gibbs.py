"""Sweeps that draw the units one after the other, as `cpu.graph.gibbs`: a block a chain.

All threads of a block look at the same unit and decide alike; where it changes they add its row of W to
their own columns of the chain's inputs. Prediction for an H200, 784 units of which 100 change a sweep: a
look at an unchanged unit is a read of the L1 cache and a comparison, some 45 cycles, and a change two
barriers and a row from the L2 cache, some 400: 75,000 cycles, 42 us a sweep, and as long for up to some
500 chains, four on each multiprocessor. Latency bounds it: no unit can be drawn before the last.
"""

from collections.abc import Iterator

import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.chain import lifetime
from ebmbench.kernels.cuda.device import blocks, floats, padded
from ebmbench.kernels.cuda.drawing import counter
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import Array, empty, zeros
from ebmbench.kernels.cuda.products import layer
from ebmbench.kernels.cuda.tile import at
from ebmbench.philox import four_uniforms
from ebmbench.randomness import VISIBLE, Key
from ebmbench.scalar import LINEAR, between, logit

_F32, _U32, _U64 = np.float32, np.uint32, np.uint64
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_THREADS = 256


@device
def log_odds(odds, chain, step, seed, stream):
    """Fill odds, float32 [padded], with the log odds at which a chain's units come on."""
    word = counter(chain, step, seed)
    for group in range(at(cuda.threadIdx.x), at(odds.size) // at(4), at(cuda.blockDim.x)):
        u = four_uniforms(_U32(group), word[0], word[1], word[2], word[3], _U32(stream))
        for lane in range(at(4)):
            odds[at(4) * group + lane] = logit(u[lane])


@device
def turn(W, i, on, first, state, x):
    """Unit i is on or off, 1 or 0: all that it changes from column `first` on, for all threads alike.

    Where it changes, a barrier before, so that every thread has had its look at the unit before another
    takes a later one's row, and one after.
    """
    change = _F32(on - state[i])
    if change != _ZERO:
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            state[i] = on
        j = first + at(cuda.threadIdx.x)
        while j < at(x.size):  # of a range with a step the length would be found by a division
            x[j] += _F32(change * W[i, j])
            j += at(cuda.blockDim.x)
        cuda.syncthreads()


@device
def sweep(W, base, rest, beta, directed, odds, state, x, chain, step, seed, stream):
    """Draw every unit given all others as they stand; as `cpu.graph.gibbs.sweep`.

    A barrier before it and after it.
    """
    log_odds(odds, chain, step, seed, stream + VISIBLE)
    cuda.syncthreads()
    for i in range(at(state.size)):
        on = _ONE if odds[i] < between(rest, base[i], beta, x[i]) else _ZERO
        turn(W, i, on, i if directed else at(0), state, x)
    cuda.syncthreads()


@kernel(
    "float32[:,::1], float32[::1], float32[:,::1], float32[:,::1], float32[:,::1], int64, int64, "
    "float32, boolean, int64, int64, uint64, int64",
    _THREADS,
)
def _sweeps(W, base, odds, state, x, first, last, beta, directed, seed, stream, step, chain):
    r = at(cuda.blockIdx.x)
    for t in range(first, last):
        sweep(
            W, base, _ZERO, beta, directed, odds[r], state[r], x[r], chain + np.int64(r),
            step + _U64(t), seed, stream,
        )  # fmt: skip


@kernel("float32[:,::1], uint8[:,::1]")
def _to_states(state, out):
    columns = at(out.shape[1])
    for n in range(at(cuda.grid(1)), at(out.size), at(cuda.gridsize(1))):
        out[n // columns, n % columns] = np.uint8(state[n // columns, n % columns])


def states(state: Array) -> Array:
    """Rows of 0 and 1 as uint8."""
    out = empty(state.shape, np.uint8)
    if out.size:
        _to_states(blocks(out.size, _to_states.threads), state, out)
    return out


def inputs(model, rows: Array) -> Array:
    """B + rows W, float32 [rows, padded]."""
    x = empty((len(rows), model.b.size))
    layer(model.W, model.b, rows, None, model.n_visible, x, LINEAR)
    return x


def stretches(model, first: int, last: int) -> Iterator[tuple[int, int]]:
    """The steps from first to last, as many at a time as sums are followed for.

    What follows units for longer would gather the rounding of each row that is added.
    """
    size = lifetime(model.arithmetic)
    for now in range(first, last, size):
        yield now, min(now + size, last)


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    state, base = floats(v), zeros(model.b.size)
    odds = empty((len(v), padded(model.n_visible)))
    if state.size:
        for first, last in stretches(model, 0, steps):
            _sweeps(
                len(v), model.W, base, odds, state, inputs(model, state), first, last, beta,
                model.directed, key.seed, int(key.stream), key.step, key.chain,
            )  # fmt: skip
    return states(state), empty((len(v), 0), np.uint8)


JOBS = {"gibbs": gibbs}
