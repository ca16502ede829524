"""Sweeps of a Markov field given evidence: as `cpu.field.posterior`, a block a chain."""

import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.device import blocks, floats
from ebmbench.kernels.cuda.drawing import counter
from ebmbench.kernels.cuda.field.gibbs import MOST, THREADS, listen
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import Array, empty, zeros
from ebmbench.kernels.cuda.posterior import mean
from ebmbench.kernels.cuda.tile import at
from ebmbench.philox import four_uniforms
from ebmbench.randomness import VISIBLE, Key
from ebmbench.scalar import probability, sigmoid

_U32 = np.uint32
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_FOUR = at(4)


@kernel(
    "int32[::1], int32[::1], int32[::1], int32[::1], float32[::1], float32[:,::1], float32[:,::1], "
    "float64[:,::1], int64, int64, int64, int64, uint64, int64",
    MOST,
)
def _walks(
    order, classes, starts, units, heard, given, state, total, sweeps, burn_in, seed, stream, step, chain
):
    """given: [rows, units], what bias and evidence make of each."""
    r = at(cuda.blockIdx.x)
    for t in range(sweeps):
        word = counter(chain + np.int64(r), step + np.uint64(t), seed)
        for colour in range(at(classes.size) - at(1)):
            first, last = at(classes[colour]), at(classes[colour + at(1)])
            begin = first // _FOUR + at(cuda.threadIdx.x)
            for group in range(begin, (last + at(3)) // _FOUR, at(cuda.blockDim.x)):
                u = four_uniforms(_U32(group), word[0], word[1], word[2], word[3], _U32(stream + VISIBLE))
                for lane in range(_FOUR):
                    place = _FOUR * group + lane
                    if first <= place and place < last:
                        i = at(order[place])
                        z = listen(starts, units, heard, given[r], i, state[r])
                        state[r, i] = _ONE if u[lane] < sigmoid(z) else _ZERO
                        if t >= burn_in:
                            total[r, i] += np.float64(probability(z))
            cuda.syncthreads()


@kernel("float32[::1], float32[:,::1], float32[:,::1]")
def _with_bias(b, evidence, out):
    columns = at(out.shape[1])
    for n in range(at(cuda.grid(1)), at(out.size), at(cuda.gridsize(1))):
        out[n // columns, n % columns] = b[n % columns] + evidence[n // columns, n % columns]


def posterior(model, v, evidence, sweeps: int, burn_in: int, key: Key) -> Array:
    """See `Backend.posterior`."""
    state, total = floats(v), zeros(v.shape, np.float64)
    given = empty(v.shape)
    if state.size:
        _with_bias(blocks(given.size, _with_bias.threads), model.b, evidence, given)
        _walks(
            len(v), model.order, model.classes, *model.joined, given, state, total, sweeps, burn_in,
            key.seed, int(key.stream), key.step, key.chain, threads=THREADS,
        )  # fmt: skip
    return mean(total, sweeps - burn_in)


JOBS = {"posterior": posterior}
