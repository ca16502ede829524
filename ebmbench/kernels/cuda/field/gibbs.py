"""Sweeps of a Markov field, colour by colour: as `cpu.field.gibbs`.

A block keeps its chain for all sweeps; its threads share the units of a colour, four neighbours in the
order of drawing each, as a Philox call gives uniforms for four. Where chains are too few to keep a GPU
busy and the graph is large, every block draws a part of one colour of all chains, a launch a colour; the
bits are the same. Prediction for an H200 and a torus of 256 x 256: a unit takes some 150 instructions, 70
of them Philox's, so 132 multiprocessors of 4 x 32 lanes at 1.7 GHz draw 190 units a nanosecond, and reads
of neighbours from the L1 cache, five of 4 bytes each, as many.
"""

import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.device import blocks, floats
from ebmbench.kernels.cuda.drawing import counter
from ebmbench.kernels.cuda.graph.gibbs import states
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import empty, zeros
from ebmbench.kernels.cuda.tile import at
from ebmbench.philox import four_uniforms
from ebmbench.randomness import VISIBLE, Key
from ebmbench.scalar import between, sigmoid

_F32, _U32, _U64 = np.float32, np.uint32, np.uint64
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_FOUR = at(4)
THREADS = 256  # of a block that keeps a chain
MOST = 512  # told to the compiler: for 256 it aims at 48 registers, and spills
_FEW, _LARGE = 64, 16_384  # chains, and units, that are worth a launch a colour


@device
def listen(starts, units, heard, b, i, state):
    """B_i + what unit i hears."""
    x = b[i]
    for n in range(at(starts[i]), at(starts[i + at(1)])):
        x += heard[n] * state[units[n]]
    return x


@device
def _draw_four(group, first, last, order, starts, units, heard, b, base, rest, beta, state, word, stream):
    """The units at places 4 group to 4 group + 3 of the order that lie from first to before last."""
    u = four_uniforms(_U32(group), word[0], word[1], word[2], word[3], _U32(stream))
    for lane in range(_FOUR):
        place = _FOUR * group + lane
        if first <= place and place < last:
            i = at(order[place])
            x = listen(starts, units, heard, b, i, state)
            p = sigmoid(between(rest, base[i], beta, x))
            state[i] = _ONE if u[lane] < p else _ZERO


@device
def sweep(order, classes, starts, units, heard, b, base, rest, beta, state, chain, step, seed, stream):
    """Draw every unit at log odds rest base + beta x given all others; a barrier after each colour."""
    word = counter(chain, step, seed)
    for colour in range(at(classes.size) - at(1)):
        first, last = at(classes[colour]), at(classes[colour + at(1)])
        begin = first // _FOUR + at(cuda.threadIdx.x)
        for group in range(begin, (last + at(3)) // _FOUR, at(cuda.blockDim.x)):
            _draw_four(
                group, first, last, order, starts, units, heard, b, base, rest, beta, state, word,
                stream + VISIBLE,
            )  # fmt: skip
        cuda.syncthreads()


_FIELD = "int32[::1], int32[::1], int32[::1], int32[::1], float32[::1], float32[::1], float32[::1], "


@kernel(_FIELD + "float32[:,::1], int64, float32, int64, int64, uint64, int64", MOST)
def _sweeps(order, classes, starts, units, heard, b, base, state, steps, beta, seed, stream, step, chain):
    r = at(cuda.blockIdx.x)
    for t in range(steps):
        sweep(
            order, classes, starts, units, heard, b, base, _ZERO, beta, state[r], chain + np.int64(r),
            step + _U64(t), seed, stream,
        )  # fmt: skip


@kernel(_FIELD + "float32[:,::1], int64, float32, int64, int64, uint64, int64")
def _one_colour(
    order, classes, starts, units, heard, b, base, state, colour, beta, seed, stream, step, chain
):
    """Of all chains; blocks are [parts of the colour, chains]."""
    r = at(cuda.blockIdx.y)
    word = counter(chain + np.int64(r), step, seed)
    first, last = at(classes[colour]), at(classes[colour + 1])
    begin = first // _FOUR + at(cuda.blockIdx.x) * at(cuda.blockDim.x) + at(cuda.threadIdx.x)
    beyond, stride = (last + at(3)) // _FOUR, at(cuda.gridDim.x) * at(cuda.blockDim.x)
    for group in range(begin, beyond, stride):
        _draw_four(
            group, first, last, order, starts, units, heard, b, base, _ZERO, beta, state[r], word,
            stream + VISIBLE,
        )  # fmt: skip


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    state, base, chains = floats(v), zeros(model.b.size), len(v)
    field = model.order, model.classes, *model.joined, model.b, base, state
    if chains and chains <= _FEW and model.n_visible >= _LARGE:
        largest = int(np.diff(model.host.graph.classes).max())
        parts = blocks(-(-largest // 4), _one_colour.threads)
        for t in range(steps):
            now = key.advance(t)
            for colour in range(model.classes.size - 1):
                _one_colour(
                    (parts, chains), *field, colour, beta, now.seed, int(now.stream), now.step, now.chain
                )
    elif chains:
        at_key = key.seed, int(key.stream), key.step, key.chain
        _sweeps(chains, *field, steps, beta, *at_key, threads=THREADS)
    return states(state), empty((chains, 0), np.uint8)


JOBS = {"gibbs": gibbs}
