"""How a block draws a layer of a chain: threads own groups of four neighbouring units.

Four, because that is what a Philox call gives uniforms for. A layer's state is a byte a group, its
low four bits; so are the changes that a draw leaves for `chain.gather`, those units that went on in the
low four bits and those that went off in the high ones.
"""

import numpy as np
from numba import cuda

from ebmbench.compile import jit
from ebmbench.kernels.cuda.launch import device
from ebmbench.philox import four_uniforms
from ebmbench.scalar import between, sigmoid

_F32 = np.float32
_U8 = np.uint8
_U32 = np.uint32
_U64 = np.uint64
_LOW = _U64(0xFFFFFFFF)


@jit(forceinline=True)
def words_of(units):
    """Words of 8 groups, and so of 32 units, that a layer of so many units fills."""
    return _U32((units + 31) >> 5)


@jit(forceinline=True)
def counter(number, step, seed):
    """What numbers a chain's uniforms at a step: (chain, step low, step high, seed), uint32."""
    return (
        _U32(_U64(number) & _LOW),
        _U32(step & _LOW),
        _U32(step >> _U64(32)),
        _U32(_U64(seed) & _LOW),
    )


@jit(forceinline=True)
def nibble(group, y0, y1, y2, y3, units, at, stream):
    """Draw the four units of a group with these pre-activations; those beyond `units` stay off."""
    a, b, c, d = four_uniforms(
        _U32(group), _U32(at[0]), _U32(at[1]), _U32(at[2]), _U32(at[3]), _U32(stream)
    )
    first = 4 * np.int64(group)
    bits = _U32((a < sigmoid(y0)) & (first < units))
    bits |= _U32((b < sigmoid(y1)) & (first + 1 < units)) << _U32(1)
    bits |= _U32((c < sigmoid(y2)) & (first + 2 < units)) << _U32(2)
    bits |= _U32((d < sigmoid(y3)) & (first + 3 < units)) << _U32(3)
    return _U32(bits)


@jit(forceinline=True)
def uniform(unit, at, stream):
    """The uniform of one unit."""
    word = _U32(unit) & _U32(3)
    a, b, c, d = four_uniforms(
        _U32(unit >> 2), _U32(at[0]), _U32(at[1]), _U32(at[2]), _U32(at[3]), _U32(stream)
    )
    low = b if word & _U32(1) else a
    high = d if word & _U32(1) else c
    return high if word & _U32(2) else low


@device
def note(group, new, fresh, state, changes):
    """Keep a group's new state and how it differs from the old one, or from all off for a fresh sum."""
    old, new = _U32(0) if fresh else _U32(state[group]), _U32(new)
    state[group] = _U8(new)
    changes[group] = _U8((new & ~old) | ((old & ~new) << _U32(4)))


@device
def draw(x, beta, units, fresh, state, changes, at, stream):
    """Sample a layer with pre-activations x at inverse temperature beta (float32).

    fresh: whether what follows starts from no units on; at: of `counter`; stream: the layer's.
    """
    group, groups = _U32(cuda.threadIdx.x), _U32(words_of(units) << 3)
    while group < groups:
        i = _U32(group << _U32(2))
        y0, y1 = _F32(beta * x[i]), _F32(beta * x[i + _U32(1)])
        y2, y3 = _F32(beta * x[i + _U32(2)]), _F32(beta * x[i + _U32(3)])
        note(group, nibble(group, y0, y1, y2, y3, units, at, stream), fresh, state, changes)
        group = _U32(group + _U32(cuda.blockDim.x))


@device
def draw_between(base, x, beta, units, fresh, state, changes, at, stream):
    """`draw` on the path from base to x; beta: float64."""
    rest, beta = _F32(1.0 - beta), _F32(beta)
    group, groups = _U32(cuda.threadIdx.x), _U32(words_of(units) << 3)
    while group < groups:
        i = _U32(group << _U32(2))
        j, k, l = i + _U32(1), i + _U32(2), i + _U32(3)  # noqa: E741
        y0 = _F32(between(rest, base[i], beta, x[i]))
        y1 = _F32(between(rest, base[j], beta, x[j]))
        y2 = _F32(between(rest, base[k], beta, x[k]))
        y3 = _F32(between(rest, base[l], beta, x[l]))
        note(group, nibble(group, y0, y1, y2, y3, units, at, stream), fresh, state, changes)
        group = _U32(group + _U32(cuda.blockDim.x))


@device
def read(row, units, state, changes):
    """Take a layer's state from a row of 0 and 1."""
    group, groups = _U32(cuda.threadIdx.x), _U32(words_of(units) << 3)
    while group < groups:
        bits = _U32(0)
        for lane in range(4):
            unit = 4 * np.int64(group) + lane
            if unit < units and row[unit] != 0:
                bits |= _U32(_U32(1) << _U32(lane))
        note(group, bits, True, state, changes)
        group = _U32(group + _U32(cuda.blockDim.x))


@device
def write(state, units, row):
    """A layer's state as a row of 0 and 1; each thread reads groups that others drew."""
    unit = _U32(cuda.threadIdx.x)
    while unit < units:
        row[unit] = _U8((_U32(state[unit >> _U32(2)]) >> (unit & _U32(3))) & _U32(1))
        unit = _U32(unit + _U32(cuda.blockDim.x))
