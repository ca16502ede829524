"""From a layer of a network to the next one, and back: products, and what units make of them at once.

As many threads as are named share the columns of what comes out, or its rows; no bit depends on that.
Arrays are float32, and rows of layers lie `device.apart`; no more of them is read or written than whole
vectors (`device.whole`).
"""

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.gemm import WIDE, block
from ebmbench.kernels.cpu.layers import products
from ebmbench.kernels.cpu.simd import copy, fill
from ebmbench.kernels.cpu.threads import columns_of, count_pieces, piece, share
from ebmbench.kernels.cpu.transpose import transpose
from ebmbench.scalar import LEAKY_RELU, LINEAR, RELU, SIGMOID, TANH, TINY, activate, settled, slope

_SHARE = 6 * LANES  # columns that are worth a thread of their own


@inner(forceinline=True)
def _each(kind, x):
    for j in range(x.size):
        x[j] = activate(kind, x[j])


@inner
def activate_all(kind, x):
    """What units make of their pre-activations x, float32 [units], in place."""
    if kind == SIGMOID:
        _each(SIGMOID, x)
    elif kind == TANH:
        _each(TANH, x)
    elif kind == RELU:
        _each(RELU, x)
    elif kind == LEAKY_RELU:
        _each(LEAKY_RELU, x)


@inner(forceinline=True)
def _times_slopes(kind, x, a):
    for j in range(x.size):
        x[j] = settled(np.float32(x[j] * slope(kind, a[j])), TINY)


@inner
def multiply_by_slopes(kind, x, a):
    """X times the slopes of units that gave a, both float32 [units], in place."""
    if kind == LINEAR:
        _times_slopes(LINEAR, x, a)
    elif kind == SIGMOID:
        _times_slopes(SIGMOID, x, a)
    elif kind == TANH:
        _times_slopes(TANH, x, a)
    elif kind == RELU:
        _times_slopes(RELU, x, a)
    elif kind == LEAKY_RELU:
        _times_slopes(LEAKY_RELU, x, a)


@jit(parallel=True)
def propagate(threads, a, a_at, terms, b, b_at, start, start_at, start_row, kind, columns, out):
    """Out = f(start + a @ b), of a so many terms, f by its place in `ACTIVATIONS`.

    a: [B, any], its terms from column a_at on; out: [B, at least columns], a multiple of LANES; b and
    start as in `gemm.block`. Threads share the columns, or the rows where columns are few.
    """
    rows, width = out.shape
    across = min(threads, max(1, columns // _SHARE))
    down = max(1, min(threads // across, rows))
    for task in prange(across * down):
        first, last = columns_of(task % across, across, columns)
        top, bottom = share(task // across, down, rows)
        block(
            a, a_at + top * a.shape[1], a.shape[1], 1, terms, b, b_at + first,
            start, start_at + top * start_row + first, start_row,
            out, top * width + first, bottom - top, last - first,
        )  # fmt: skip
        for r in range(top, bottom):
            activate_all(kind, out[r, first:last])


@jit(parallel=True)
def propagate_sparse(states, W, c, kind, across, group, out):
    """Out = f(c + states W) for states many of which are 0, [B, units]; across, group: of `split`.

    c: [columns], a multiple of LANES; W, out: at least as many columns.
    """
    rows = states.shape[0]
    for task in prange(count_pieces(rows, across, group)):
        left, right, top, bottom = piece(task, rows, c.size, across, group)
        products(W, c, states[top:bottom], left, right, out[top:bottom])
        for r in range(top, bottom):
            activate_all(kind, out[r, left:right])


@inner(allocates=True, forceinline=True)
def _add_rows(x, first, last, sums):
    """sums[first:last] = the sums of these columns of x, added up in float64."""
    total = np.zeros(last - first)
    for r in range(x.shape[0]):
        row = x[r, first:last]
        for j in range(row.size):
            total[j] += row[j]
    for j in range(total.size):
        sums[first + j] = total[j]


@jit(parallel=True)
def top_delta(threads, delta, a, kind, columns, x, sums):
    """X = delta times the slopes of the last layer's units, and sums of its columns.

    delta: float32 [B, units]; a, x: [B, at least columns], whole vectors; x is 0 beyond the units.
    """
    units = delta.shape[1]
    across = min(threads, columns // LANES)
    for task in prange(across):
        first, last = columns_of(task, across, columns)
        end = max(first, min(last, units))
        for r in range(x.shape[0]):
            copy(delta[r, first:end], x[r, first:end])
            fill(x[r, end:last], np.float32(0.0))
            multiply_by_slopes(kind, x[r, first:end], a[r, first:end])
        _add_rows(x, first, last, sums)


@jit(parallel=True)
def delta_below(threads, x, outputs, W, zero, a, kind, columns, below, sums):
    """Below = x Wᵀ times the slopes of the units that W takes, and sums of its columns.

    x: [B, at least outputs]; W: [inputs, at least outputs]; zero: [at least columns]; a, below: [B, at
    least columns], whole vectors, below 0 beyond the inputs. W is written transposed a few of its rows
    at a time, for which a batch of 100 pays with a twelfth of the product's time.
    """
    inputs = W.shape[0]
    across = min(threads, columns // LANES)
    for task in prange(across):
        first, last = columns_of(task, across, columns)
        turned = np.zeros((outputs, WIDE), np.float32)
        for left in range(first, last, WIDE):
            right = min(last, left + WIDE)
            real = max(0, min(right, inputs) - left)
            transpose(W[left : left + real], 0, real, outputs, turned)
            for j in range(outputs):
                fill(turned[j, real:], np.float32(0.0))
            block(
                x, 0, x.shape[1], 1, outputs, turned, 0, zero, 0, 0,
                below, left, x.shape[0], right - left,
            )  # fmt: skip
        for r in range(x.shape[0]):
            multiply_by_slopes(kind, below[r, first:last], a[r, first:last])
        _add_rows(below, first, last, sums)
