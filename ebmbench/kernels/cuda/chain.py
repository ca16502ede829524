"""One block owns one chain: its state and the pre-activations of both layers, followed flip by flip.

A half-sweep draws one layer, lists the units that changed, and adds or subtracts their rows of the
matrix to the other layer's pre-activations. On a trained model few units change (4 % of the visible and
14 % of the hidden ones of the 784 x 500 fixture), so few rows are read; and no block waits for another.

Threads own groups of four neighbouring units while they draw, since a Philox call gives four uniforms,
and columns t, t + threads, ... while they add. A layer's state is a byte a group, its low four bits.
What one thread leaves for another is read after a barrier: `gather` begins and ends with one, and
whoever draws from what `follow` left puts one in between.

In `grid` arithmetic sums are exact, so this gives the bits of a fresh sum for ever. In `float`
arithmetic each addition is rounded, by at most 2**-24 of a sum of size X. A fresh sum takes at most n
additions for n units; after LIFETIME sweeps in which a share f of them changed there were LIFETIME f n
more, whose roundings, independent in sign, come to 2**-24 X sqrt(LIFETIME f n): 3e-6 for X = 4, n = 784
and f = 14 %, where the fresh sum has 6e-7. So sums start afresh every LIFETIME sweeps, which costs
about three sweeps' worth of rows.
"""

import numpy as np
from numba import cuda

from ebmbench.compile import jit
from ebmbench.kernels.cuda.drawing import words_of
from ebmbench.kernels.cuda.launch import device
from ebmbench.scalar import mul

LIFETIME = 32  # sweeps after which sums start afresh, where additions are rounded
_FOR_EVER = 2**62

_F32 = np.float32
_U32 = np.uint32
_U64 = np.uint64
# Of each byte of a word of changes the low half tells which units went on, the high half which off.
_ON = _U64(0x0F0F0F0F0F0F0F0F)
_OFF = _U64(0xF0F0F0F0F0F0F0F0)
_LOW = _U64(0xFFFFFFFF)
_ZERO = _F32(0.0)


def lifetime(arithmetic: str) -> int:
    """Sweeps that a sum may be followed for."""
    return _FOR_EVER if arithmetic == "grid" else LIFETIME


@jit
def chain_bytes(visible, hidden):
    """Memory of a chain with so many (padded) units: see `chain_arrays`; a multiple of 8."""
    return 4 * (visible + hidden) + (visible + hidden) // 4


@jit
def work_bytes(widest):
    """Memory that a half-sweep of layers of at most so many (padded) units needs; a multiple of 8."""
    return 4 * widest + widest // 4 + widest // 4 + 64


@device
def chain_arrays(memory, visible, hidden):
    """Pre-activations of the visible and hidden units, float32, and their states, a byte a group."""
    middle, states = 4 * visible, 4 * (visible + hidden)
    xv = memory[:middle].view(np.float32)
    xh = memory[middle:states].view(np.float32)
    v = memory[states : states + visible // 4]
    h = memory[states + visible // 4 : states + (visible + hidden) // 4]
    return xv, xh, v, h


@device
def work_arrays(memory, widest):
    """The rows to be added, uint32; which units of a group changed, uint8; counts of them, uint64."""
    ends = 4 * widest, 4 * widest + widest // 4
    listed = memory[: ends[0]].view(np.uint32)
    changes = memory[ends[0] : ends[1]]
    counts = memory[ends[1] : ends[1] + widest // 4 + 64].view(np.uint64)
    return listed, changes, counts


@device
def count_before(counts, word):
    """The sum of the first `word` counts; eight are read at once, since each read takes 30 cycles."""
    before, n = _U64(0), _U32(0)
    while n < word:
        c0, c1, c2, c3 = counts[n], counts[n + _U32(1)], counts[n + _U32(2)], counts[n + _U32(3)]
        c4, c5, c6 = counts[n + _U32(4)], counts[n + _U32(5)], counts[n + _U32(6)]
        before += c0
        before += c1 if n + _U32(1) < word else _U64(0)
        before += c2 if n + _U32(2) < word else _U64(0)
        before += c3 if n + _U32(3) < word else _U64(0)
        before += c4 if n + _U32(4) < word else _U64(0)
        before += c5 if n + _U32(5) < word else _U64(0)
        before += c6 if n + _U32(6) < word else _U64(0)
        before += counts[n + _U32(7)] if n + _U32(7) < word else _U64(0)
        n = _U32(n + _U32(8))
    return before


@device
def gather(changes, units, columns, listed, counts):
    """List the rows of a layer's units that changed.

    changes: see `drawing`; columns: of the matrix, a row's length; counts: scratch. listed: where each
    row begins in the matrix; those of units that went on in ascending order from its first element,
    those of units that went off in descending order up to a last one. Returns where the former end,
    where the latter begin, and where these end.
    """
    words = words_of(units)
    end = _U32(words << 5)
    bits = changes.view(np.uint64)
    cuda.syncthreads()
    word = _U32(cuda.threadIdx.x)
    while word < words:
        change = bits[word]
        counts[word] = _U64(cuda.popc(change & _ON)) | (_U64(cuda.popc(change & _OFF)) << _U64(32))
        word = _U32(word + _U32(cuda.blockDim.x))
    cuda.syncthreads()
    group, groups = _U32(cuda.threadIdx.x), _U32(words << 3)
    while group < groups:
        change = _U32(changes[group])
        is_last = _U32(group + _U32(1)) == groups
        if change != _U32(0) or is_last:
            word = _U32(group >> _U32(3))
            before = count_before(counts, word)
            part = bits[word] & ((_U64(1) << _U64((group & _U32(7)) << _U32(3))) - _U64(1))
            on = _U32(_U32(before & _LOW) + _U32(cuda.popc(part & _ON)))
            off = _U32(end - _U32(before >> _U64(32)) - _U32(cuda.popc(part & _OFF)))
            for lane in range(4):
                row = _U32(_U32((group << _U32(2)) + _U32(lane)) * _U32(columns))
                if (change >> _U32(lane)) & _U32(1):
                    listed[on] = row
                    on = _U32(on + _U32(1))
                if (change >> _U32(lane + 4)) & _U32(1):
                    off = _U32(off - _U32(1))
                    listed[off] = row
            if is_last:
                counts[words] = _U64(on) | (_U64(off) << _U64(32))
        group = _U32(group + _U32(cuda.blockDim.x))
    cuda.syncthreads()
    totals = counts[words]
    return _U32(totals & _LOW), _U32(totals >> _U64(32)), end


@device
def add_listed(matrix, j, listed, first, last, sign, total):
    """Total + sign times column j of the rows listed from first to last (not included).

    Eight loads are under way at once: their latency, about 270 cycles from the L2 cache, is what a
    single thread would wait for. sign is 1 or -1, so a fused multiply-add rounds like an addition.
    """
    n = first
    one, two, three, four = _U64(1), _U64(2), _U64(3), _U64(4)
    five, six, seven, eight = _U64(5), _U64(6), _U64(7), _U64(8)
    while n + eight <= last:
        w0, w1 = matrix[_U32(listed[n] + j)], matrix[_U32(listed[n + one] + j)]
        w2, w3 = matrix[_U32(listed[n + two] + j)], matrix[_U32(listed[n + three] + j)]
        w4, w5 = matrix[_U32(listed[n + four] + j)], matrix[_U32(listed[n + five] + j)]
        w6, w7 = matrix[_U32(listed[n + six] + j)], matrix[_U32(listed[n + seven] + j)]
        total = _F32(_F32(_F32(_F32(total + sign * w0) + sign * w1) + sign * w2) + sign * w3)
        total = _F32(_F32(_F32(_F32(total + sign * w4) + sign * w5) + sign * w6) + sign * w7)
        n += eight
    if n < last:  # at most seven more, again at once; what is beyond the end repeats the last row
        end = last - one
        r1, r2, r3 = listed[min(n + one, end)], listed[min(n + two, end)], listed[min(n + three, end)]
        r4, r5, r6 = listed[min(n + four, end)], listed[min(n + five, end)], listed[min(n + six, end)]
        w0 = matrix[_U32(listed[n] + j)]
        w1 = matrix[_U32(r1 + j)] if n + one < last else _ZERO
        w2 = matrix[_U32(r2 + j)] if n + two < last else _ZERO
        w3 = matrix[_U32(r3 + j)] if n + three < last else _ZERO
        w4 = matrix[_U32(r4 + j)] if n + four < last else _ZERO
        w5 = matrix[_U32(r5 + j)] if n + five < last else _ZERO
        w6 = matrix[_U32(r6 + j)] if n + six < last else _ZERO
        total = _F32(_F32(_F32(_F32(total + sign * w0) + sign * w1) + sign * w2) + sign * w3)
        total = _F32(_F32(_F32(total + sign * w4) + sign * w5) + sign * w6)
    return total


@device
def follow(matrix, bias, fresh, x, listed, rows):
    """Bring a layer's pre-activations x up to date with the other layer's changes.

    matrix: float32 [other layer's units * columns], as one row; bias: where fresh sums start, one
    element a column; rows: of `gather`. No barrier: a thread may read its own columns at once.
    """
    j = _U32(cuda.threadIdx.x)
    while j < bias.size:
        total = bias[j] if fresh else x[j]
        total = add_listed(matrix, j, listed, _U64(0), _U64(rows[0]), _F32(1.0), total)
        x[j] = add_listed(matrix, j, listed, _U64(rows[1]), _U64(rows[2]), _F32(-1.0), total)
        j = _U32(j + _U32(cuda.blockDim.x))


@device
def follow_weighted(matrix, bias, units, row, x):
    """Pre-activations x of a layer from so many real numbers: bias + row @ matrix, added in order.

    matrix and bias: as in `follow`. Products are rounded by themselves, as everywhere in sampling.
    """
    columns = _U32(bias.size)
    whole = _U32((units >> 2) << 2)
    j = _U32(cuda.threadIdx.x)
    while j < columns:
        total = bias[j]
        i, first = _U32(0), j
        while i < whole:
            second, third = _U32(first + columns), _U32(first + columns + columns)
            fourth = _U32(third + columns)
            w0, w1, w2, w3 = matrix[first], matrix[second], matrix[third], matrix[fourth]
            total = _F32(total + mul(_F32(row[i]), w0))
            total = _F32(total + mul(_F32(row[i + _U32(1)]), w1))
            total = _F32(total + mul(_F32(row[i + _U32(2)]), w2))
            total = _F32(total + mul(_F32(row[i + _U32(3)]), w3))
            i, first = _U32(i + _U32(4)), _U32(fourth + columns)
        while i < units:
            total = _F32(total + mul(_F32(row[i]), matrix[first]))
            i, first = _U32(i + _U32(1)), _U32(first + columns)
        x[j] = total
        j = _U32(j + _U32(cuda.blockDim.x))
