"""A layer of many chains drawn by tensor cores, for models in bfloat16 arithmetic.

States are exact in bfloat16, and W is the sum of one or two bfloat16 terms, so a product here is that
of the rounded model up to the order of a float32 sum. A sum over two terms is one over twice as many
units, each state taken twice: the same kernel with twice the steps. `tiles` says who holds what.

States travel as bytes and become bfloat16 in registers, one byte permutation and one multiplication for
two of them: half the traffic of bfloat16 states, and what comes out is what goes in. What bounds a
sweep of 16,384 chains at 784 x 500 with one term on an H200 (a prediction: no GPU has run this yet):
27.4e9 operations, padded to tiles, take 35 us at a ceiling of 790 TF and 56 us at the 62 % of it that
mma.sync reaches at best; 12 KiB a block's step are 0.33 GB from the L2, 61 us at 5.5 TB/s; 21 million
units drawn with about 55 instructions each and 27,000 block's steps of 700 are 53 us of all schedulers.
Two blocks share a multiprocessor (208 registers, 36 KiB), so that one draws while the other multiplies:
61 us where all that overlaps, 95 us where little does: 54 or 34 % of the ceiling. Two terms double the
first two.
"""

from typing import Any

import numba
import numpy as np
from numba import cuda

from ebmbench.errors import Unavailable
from ebmbench.kernels.cuda import mma, tiles
from ebmbench.kernels.cuda.device import Model, blocks, describe, padded
from ebmbench.kernels.cuda.launch import SIMULATED, kernel
from ebmbench.kernels.cuda.memory import Array, empty
from ebmbench.models.arithmetic import TERMS
from ebmbench.philox import four_uniforms
from ebmbench.randomness import HIDDEN, VISIBLE, Key
from ebmbench.scalar import mul, sigmoid

CAPABILITY = (8, 0)  # the first with these products

_SHARED = tiles.SHARED_BYTES // 4  # floats
_ALIGNED = 16  # bytes, which copies and loads of a whole vector ask for
_ONE, _ZERO = np.uint32(1), np.uint32(0)


def applies(model: Model, v: Array) -> bool:
    """Whether chains that start at v are drawn here: binary ones of a model in bfloat16 arithmetic.

    Chains that fill no tile, grey rows, and all in the simulator are left to the float32 kernels, which
    draw from the same rounded model. Raises `Unavailable` on a GPU without bfloat16 products.
    """
    tall = len(v) >= tiles.ROWS and v.dtype == np.uint8
    if SIMULATED or not tall or model.arithmetic not in TERMS:
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
    steps = terms * ((matrix.shape[0] + tiles.DEPTH - 1) // tiles.DEPTH)
    for n in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        tile = n // (steps * tiles.WEIGHTS)
        step = n // tiles.WEIGHTS - tile * steps
        element = n % tiles.WEIGHTS
        k = tiles.DEPTH * (step // terms) + tiles.weight_unit(element)
        column = tiles.COLUMNS * tile + tiles.weight_column(element)
        weight = np.float32(0.0)
        if k < matrix.shape[0] and column < columns:
            weight = matrix[k, column]
        first, second = mma.bfloat16_terms(weight)
        out[n] = first if step % terms == 0 else second


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
    threads=tiles.THREADS,
)
def _draw(states, weights, bias, out, columns, terms, beta, seed, stream, step, chain):
    buffer = cuda.shared.array(_SHARED, numba.float32, alignment=_ALIGNED)
    shared = mma.shared_address(buffer)
    thread = cuda.threadIdx.x
    lane, warp = thread & 31, thread >> 5
    across = (columns + tiles.COLUMNS - 1) // tiles.COLUMNS
    row_tile = cuda.blockIdx.x // across
    column_tile = cuda.blockIdx.x - row_tile * across
    first_row, first_column = tiles.ROWS * row_tile, tiles.COLUMNS * column_tile
    chains, width = states.shape
    steps = terms * (width // tiles.DEPTH)

    # A thread copies two chunks of states and four of weights a step. Rows beyond the last chain take
    # its states: what is made of them is not written.
    first, second = thread, thread + tiles.THREADS
    upper = min(first_row + tiles.state_row(first), chains - 1)
    lower = min(first_row + tiles.state_row(second), chains - 1)
    upper_source = mma.global_address(states, upper * width + tiles.state_column(first))
    lower_source = mma.global_address(states, lower * width + tiles.state_column(second))
    upper_target, lower_target = shared + tiles.chunk_byte(first), shared + tiles.chunk_byte(second)
    weight_source = mma.global_address(weights, column_tile * steps * tiles.WEIGHTS + 8 * thread)
    weight_target = shared + tiles.STATE_BYTES + tiles.CHUNK * thread

    sums = mma.no_sums()
    own_states = shared + tiles.matrix_byte(lane, warp)
    own_weights = shared + tiles.STATE_BYTES + tiles.weight_byte(lane, warp)
    live = first_column + tiles.WARP * (warp & 1) < columns
    slot, free = 0, 0
    for ahead in range(steps + tiles.STAGES - 1):
        if ahead >= tiles.STAGES - 1:
            mma.await_stage()
            cuda.syncthreads()  # everybody's copies are there, and nobody reads the stage before
        if ahead < steps:
            offset = tiles.DEPTH * (ahead >> (terms - 1))
            mma.copy_chunk(upper_target + free, upper_source + offset)
            mma.copy_chunk(lower_target + free, lower_source + offset)
            source = weight_source + 2 * tiles.WEIGHTS * ahead
            for n in range(tiles.WEIGHT_CHUNKS):
                part = tiles.CHUNK * tiles.THREADS * n
                mma.copy_chunk(weight_target + free + part, source + part)
        mma.end_stage()
        free = tiles.next_stage(free)
        if ahead >= tiles.STAGES - 1:
            if live:
                sums = mma.multiply_step(sums, own_states + slot, own_weights + slot)
            slot = tiles.next_stage(slot)
    cuda.syncthreads()

    low, high = np.uint32(step & np.uint64(0xFFFFFFFF)), np.uint32(step >> np.uint64(32))
    for half in range(2):
        # Registers cannot be indexed by a loop: each thread lays its sums out in memory of its own.
        if half == 0:
            mma.lay_out_first(sums, buffer, thread)
        else:
            mma.lay_out_second(sums, buffer, thread)
        for q in range(tiles.QUADS):
            row = first_row + tiles.quad_row(tiles.QUADS * half + q, lane, warp)
            unit = first_column + tiles.quad_column(q, lane, warp)
            if row < chains and unit < out.shape[1]:
                u = four_uniforms(
                    np.uint32(unit >> 2), np.uint32(chain + np.uint32(row)), low, high, seed, stream
                )
                word = _ZERO
                for n in range(4):
                    x = buffer[np.uint64(tiles.THREADS * (4 * q + n) + thread)]
                    x = np.float32(x + bias[np.uint64(unit + n)])
                    if u[n] < sigmoid(mul(beta, x)) and unit + n < columns:
                        word |= _ONE << np.uint32(8 * n)
                mma.put_word(out, row * out.shape[1] + unit, word)


def _weights(model: Model, matrix: Array, columns: int, name: str) -> Array:
    """The bfloat16 terms of a matrix in the order of `tiles`, made once a model."""
    if name not in model.derived:
        terms = TERMS[model.arithmetic]
        size = -(-columns // tiles.COLUMNS) * terms * -(-len(matrix) // tiles.DEPTH) * tiles.WEIGHTS
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
        count = -(-len(states) // tiles.ROWS) * -(-columns // tiles.COLUMNS)
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
