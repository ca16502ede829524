"""A layer of many chains drawn by tensor cores, for models in bfloat16 arithmetic.

States are exact in bfloat16, and W is the sum of one or two bfloat16 terms, so a product here is that
of the rounded model up to the order of a float32 sum. A sum over two terms is one over twice as many
units, each state taken twice: the same kernel with twice the steps. `tiles` says who holds what.

States travel as bytes and become bfloat16 in registers, one byte permutation and one multiplication for
two of them: half the traffic of bfloat16 states, and what comes out is what goes in. What bounds a sweep
of 16,384 chains at 784 x 500 with one term on an H200, as a prediction: 27.4e9 operations, padded to
tiles, take 35 us at a ceiling of 790 TF and 56 us at the 62 % of it that mma.sync reaches at best; 12 KiB
a block's step are 0.33 GB from the L2, 61 us at 5.5 TB/s; 21 million units drawn with about 55
instructions each and 27,000 block's steps of 700 are 53 us of all schedulers. Two blocks share a
multiprocessor (206 registers, 36 KiB), so that one draws while the other multiplies: 61 us where all
that overlaps, 95 us where little does: 54 or 34 % of the ceiling. Two terms double the first two.
"""

from typing import Any

import numba
import numpy as np
from numba import cuda

from ebmbench.errors import Unavailable
from ebmbench.kernels.cuda.device import Model, blocks, describe, padded
from ebmbench.kernels.cuda.launch import SIMULATED, kernel
from ebmbench.kernels.cuda.memory import Array, empty
from ebmbench.kernels.cuda.mma import (
    await_stage,
    copy_chunk,
    end_stage,
    global_address,
    lay_out_first,
    lay_out_second,
    multiply_step,
    no_sums,
    put_word,
    shared_address,
)  # fmt: skip
from ebmbench.kernels.cuda.tiles import (
    CHUNK,
    COLUMNS,
    DEPTH,
    QUADS,
    ROWS,
    STAGE_BYTES,
    STAGES,
    STATE_BYTES,
    THREADS,
    WARP,
    WEIGHT_CHUNKS,
    WEIGHTS,
    matrix_byte,
    quad_column,
    quad_row,
    state_byte,
    state_column,
    state_row,
    weight_byte,
    weight_column,
    weight_unit,
)  # fmt: skip
from ebmbench.randomness import HIDDEN, VISIBLE, Key
from ebmbench.scalar import bfloat16_bits, four_uniforms, from_bfloat16_bits, mul, sigmoid

TERMS = {"bfloat16": 1, "bfloat16x2": 2}
CAPABILITY = (8, 0)  # the first with these products
UNEXECUTED = True  # so far on no GPU: the numbers above are predictions

_SHARED = STAGES * STAGE_BYTES // 4  # floats
_ONE, _ZERO = np.uint32(1), np.uint32(0)


def applies(model: Model) -> bool:
    """Whether a model's layers are drawn here: in bfloat16 arithmetic, but not in the simulator.

    The simulator serves the same rounded model by the float32 kernels. Raises `Unavailable` on a GPU
    without bfloat16 products.
    """
    if model.arithmetic not in TERMS or SIMULATED:
        return False
    if tuple(cuda.get_current_device().compute_capability) < CAPABILITY:
        facts = describe()
        raise Unavailable(
            f"{model.arithmetic} arithmetic needs a GPU of compute capability "
            f"{CAPABILITY[0]}.{CAPABILITY[1]} or newer, but {facts['device']} has "
            f"{facts['compute_capability']}"
        )
    return True


@kernel("float32[:,::1], int64, int64, uint16[::1]")
def _lay_out_weights(matrix, columns, terms, out):
    steps = terms * ((matrix.shape[0] + DEPTH - 1) // DEPTH)
    for n in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        tile = n // (steps * WEIGHTS)
        step = n // WEIGHTS - tile * steps
        element = n % WEIGHTS
        k = DEPTH * (step // terms) + weight_unit(element)
        column = COLUMNS * tile + weight_column(element)
        bits = _ZERO
        if k < matrix.shape[0] and column < columns:
            bits = bfloat16_bits(matrix[k, column])
            if step % terms == 1:
                bits = bfloat16_bits(np.float32(matrix[k, column] - from_bfloat16_bits(bits)))
        out[n] = bits


@kernel("uint8[:,::1], uint8[:,::1]")
def _fit(rows, out):
    """Rows of bytes, cut or continued with zeros to the width of `out`."""
    columns = out.shape[1]
    for n in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        r = n // columns
        column = n - r * columns
        out[r, column] = rows[r, column] if column < rows.shape[1] else 0


@kernel(
    "uint8[:,::1], uint16[::1], float32[::1], uint8[:,::1], int64, int64, float32, "
    "uint32, uint32, uint64, uint32",
    threads=THREADS,
)
def _draw(states, weights, bias, out, columns, terms, beta, seed, stream, step, chain):
    buffer = cuda.shared.array(_SHARED, numba.float32)
    shared = shared_address(buffer)
    thread = cuda.threadIdx.x
    lane, warp = thread & 31, thread >> 5
    tiles = (columns + COLUMNS - 1) // COLUMNS
    row_tile = cuda.blockIdx.x // tiles
    column_tile = cuda.blockIdx.x - row_tile * tiles
    first_row, first_column = ROWS * row_tile, COLUMNS * column_tile
    chains, width = states.shape
    steps = terms * (width // DEPTH)

    # Rows beyond the last chain take its states: what is made of them is not written.
    upper = min(first_row + state_row(thread), chains - 1)
    lower = min(first_row + state_row(thread + THREADS), chains - 1)
    upper_source = global_address(states, upper * width + state_column(thread))
    lower_source = global_address(states, lower * width + state_column(thread))
    upper_target = shared + state_byte(state_row(thread), state_column(thread))
    lower_target = shared + state_byte(state_row(thread + THREADS), state_column(thread))
    weight_source = global_address(weights, column_tile * steps * WEIGHTS) + CHUNK * thread
    weight_target = shared + STATE_BYTES + CHUNK * thread

    sums = no_sums()
    own_states = shared + matrix_byte(lane, warp)
    own_weights = shared + STATE_BYTES + weight_byte(lane, warp)
    live = first_column + WARP * (warp & 1) < columns
    slot, free = 0, 0
    for ahead in range(steps + STAGES - 1):
        if ahead >= STAGES - 1:
            await_stage()
            cuda.syncthreads()  # everybody's copies are there, and nobody reads the stage before
        if ahead < steps:
            offset = DEPTH * (ahead >> (terms - 1))
            copy_chunk(upper_target + free, upper_source + offset)
            copy_chunk(lower_target + free, lower_source + offset)
            for n in range(WEIGHT_CHUNKS):
                part = CHUNK * THREADS * n
                copy_chunk(weight_target + free + part, weight_source + 2 * WEIGHTS * ahead + part)
        end_stage()
        free = free + STAGE_BYTES if free + STAGE_BYTES < STAGES * STAGE_BYTES else 0
        if ahead >= STAGES - 1:
            if live:
                sums = multiply_step(sums, own_states + slot, own_weights + slot)
            slot = slot + STAGE_BYTES if slot + STAGE_BYTES < STAGES * STAGE_BYTES else 0
    cuda.syncthreads()

    low, high = np.uint32(step & np.uint64(0xFFFFFFFF)), np.uint32(step >> np.uint64(32))
    for half in range(2):
        # Registers cannot be indexed by a loop: each thread lays its sums out in memory of its own.
        if half == 0:
            lay_out_first(sums, buffer, thread)
        else:
            lay_out_second(sums, buffer, thread)
        for q in range(QUADS):
            row = first_row + quad_row(QUADS * half + q, lane, warp)
            unit = first_column + quad_column(q, lane, warp)
            if row < chains and unit < out.shape[1]:
                u = four_uniforms(
                    np.uint32(unit >> 2), np.uint32(chain + np.uint32(row)), low, high, seed, stream
                )
                word = _ZERO
                for n in range(4):
                    x = buffer[np.uint64(THREADS * (4 * q + n) + thread)]
                    x = np.float32(x + bias[np.uint64(unit + n)])
                    if u[n] < sigmoid(mul(beta, x)) and unit + n < columns:
                        word |= _ONE << np.uint32(8 * n)
                put_word(out, row * out.shape[1] + unit, word)


def _weights(model: Model, matrix: Array, columns: int, name: str) -> Array:
    """The bfloat16 terms of a matrix in the order of `tiles`, made once a model."""
    if name not in model.derived:
        terms = TERMS[model.arithmetic]
        size = -(-columns // COLUMNS) * terms * -(-len(matrix) // DEPTH) * WEIGHTS
        out = empty(size, np.uint16)
        _lay_out_weights(blocks(size, _lay_out_weights.threads), matrix, columns, terms, out)
        model.derived[name] = out
    return model.derived[name]


def _of_width(rows: Array, width: int) -> Array:
    if rows.shape[1] == width:
        return rows
    out = empty((len(rows), width), np.uint8)
    _fit(blocks(out.size, _fit.threads), rows, out)
    return out


def _layer(model: Model, layer: int) -> tuple[Array, Array, int]:
    """Weights, bias and number of the units of a layer."""
    if layer == HIDDEN:
        return _weights(model, model.W, model.n_hidden, "tensor_to_hidden"), model.c, model.n_hidden
    return _weights(model, model.Wt, model.n_visible, "tensor_to_visible"), model.b, model.n_visible


def draw_layer(
    model: Model, layer: int, states: Array, beta: float, key: Key, step: int = 0, width: int = 0
) -> Array:
    """Draw the units of a layer of every chain given the other layer's states, at key.step + step.

    layer: `HIDDEN` or `VISIBLE`; states: uint8 [chains, units of the other layer]; beta: the inverse
    temperature. Returns uint8 [chains, units of the layer]. Where the rows of states are `padded`, and
    of the result by `width`, nothing is copied: units beyond the last are 0.
    """
    weights, bias, columns = _layer(model, layer)
    width = width or columns
    states = _of_width(states, padded(model.n_visible if layer == HIDDEN else model.n_hidden))
    out = empty((len(states), width if width % 4 == 0 else padded(columns)), np.uint8)
    if out.size:
        count = -(-len(states) // ROWS) * -(-columns // COLUMNS)
        _draw(
            count, states, weights, bias, out, columns, TERMS[model.arithmetic], np.float32(beta),
            key.seed, int(key.stream) + layer, np.uint64(key.step + step), key.chain,
        )  # fmt: skip
    return _of_width(out, width)


def sweeps(model: Model, v: Array, steps: int, key: Key, beta: float) -> tuple[Array, Array]:
    """See `Backend.gibbs`, for binary v: two launches a sweep, and a copy where a width is ragged."""
    wide = padded(model.n_visible), padded(model.n_hidden)
    h: Any = None
    for t in range(steps):
        h = draw_layer(model, HIDDEN, v, beta, key, t, wide[1])
        v = draw_layer(model, VISIBLE, h, beta, key, t, wide[0] if t < steps - 1 else model.n_visible)
    return v, _of_width(h, model.n_hidden)
