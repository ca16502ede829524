"""Binary states times a matrix, a piece of the matrix at a time: sums of the rows whose units are on.

A state that walks over all of the matrix by itself streams it from wherever it fits. Here many states add
their rows of one piece before the next piece comes, so that it comes from memory once and then from
the core's own cache. Where each row of a piece is added many times, narrow panels of it are packed first.
One is about what the core's first cache holds, whatever the distance between the matrix's rows, and
lies on few pages: one thread of a Zen 4 then adds 2.4 vectors of 16 a nanosecond, where it adds 1.6 of
pieces that stay where they are. The first cache gives one a cycle, which is 3.4 or so. Each sum takes its
rows in ascending order either way, so the bits are those of `rows.add_rows`.
"""

from typing import NamedTuple

import numpy as np

from ebmbench.compile import inner
from ebmbench.kernels.cpu.changes import list_on
from ebmbench.kernels.cpu.rows import add_listed
from ebmbench.kernels.cpu.simd import CACHE_LINE, HALF_COLUMNS, address, before_line, copy

HEIGHT, WIDTH = 128, 512  # of a piece: 256 KiB
NARROW = HALF_COLUMNS  # columns of a panel: 32 KiB


class Listed(NamedTuple):
    """Which units of states are on.

    numbers: int32, the units' within their piece, state after state; ends: int32 [states, pieces + 1],
    where those of a piece begin, and where the last one's end.
    """

    numbers: np.ndarray
    ends: np.ndarray


@inner(allocates=True, forceinline=True)
def room(states, units):
    """`Listed` for so many states of so many units, not filled yet."""
    pieces = max(1, (units + HEIGHT - 1) // HEIGHT)
    return Listed(np.empty(states * units, np.int32), np.empty((states, pieces + 1), np.int32))


@inner(forceinline=True)
def list_pieces(states, found):
    """Fill the lists, and say how many units are on; states: uint8 of 0 and 1, [states, units].

    All before the first sum: branches that are guessed wrong would stall it.
    """
    numbers, ends = found
    count = 0
    for r in range(states.shape[0]):
        ends[r, 0] = count
        for piece in range(ends.shape[1] - 1):
            top = piece * HEIGHT
            count += list_on(states[r, top : min(states.shape[1], top + HEIGHT)], numbers[count:])
            ends[r, piece + 1] = count
    return count


@inner(forceinline=True)
def is_worth_packing(states, units, columns, count):
    """Whether states read the pieces of so many columns so often that panels had better be packed.

    count: how many units are on in all states. To pack a row takes as long as a few additions of it save,
    and each state loads and stores its sums once more often, which makes up for some of them too: on a
    Zen 4 either way takes as long where a row is read 8 times by 32 states, and 14 times by 128.
    """
    return columns * min(units, HEIGHT) > NARROW * HEIGHT and count > units * (6 + states // 16)


@inner(allocates=True, forceinline=True)
def panel():
    """Room for one, float32 [HEIGHT, NARROW], that starts on a cache line."""
    raw = np.empty(HEIGHT * NARROW + CACHE_LINE // 4, np.float32)
    first = before_line(raw) // 4
    return raw[first : first + HEIGHT * NARROW].reshape(HEIGHT, NARROW)


@inner(forceinline=True)
def pack(part, first, columns, packed):
    """So many columns of a piece, from `first` on, as the first ones of a panel."""
    for i in range(part.shape[0]):
        copy(part[i, first : first + columns], packed[i])


@inner(forceinline=True)
def _sum_piece(source, column, bias, found, piece, states, columns, out, place):
    """So many columns of the sums over a piece's rows, which stand in those of source from column on."""
    for r in range(states[0], states[1]):
        begin, end = found.ends[r, piece], found.ends[r, piece + 1]
        sums = out[r - states[0]]
        start = address(bias) if piece == 0 else address(sums)
        index, behind = found.numbers[begin:], column + columns
        add_listed(start, source, index, end - begin, index, 0, column, behind, sums, place)


@inner(allocates=True)
def _sum_packed(matrix, bias, found, states, left, right, out, to):
    packed = panel()
    for first in range(left, right, NARROW):
        columns, place = min(right - first, NARROW), to + first - left
        for piece in range(found.ends.shape[1] - 1):
            pack(matrix[piece * HEIGHT : (piece + 1) * HEIGHT], first, columns, packed)
            _sum_piece(packed, 0, bias, found, piece, states, columns, out, place)


@inner(forceinline=True)
def _sum_in_place(matrix, bias, found, states, left, right, out, to):
    for first in range(left, right, WIDTH):
        columns, place = min(right - first, WIDTH), to + first - left
        for piece in range(found.ends.shape[1] - 1):
            part = matrix[piece * HEIGHT : (piece + 1) * HEIGHT]
            _sum_piece(part, first, bias, found, piece, states, columns, out, place)


@inner(forceinline=True)
def sum_pieces(matrix, bias, found, states, packed, left, right, out, to):
    """Columns [left, right) of states @ matrix, plus bias, in the columns of out from `to` on.

    matrix: float32 [units, any]; bias: float32, whose columns are out's; found: the states' lists;
    states: the number of the first one and that behind the last; packed: see `is_worth_packing`; left and
    right: multiples of LANES; out: float32 [at least so many states, any].
    """
    if packed:
        _sum_packed(matrix, bias, found, states, left, right, out, to)
    else:
        _sum_in_place(matrix, bias, found, states, left, right, out, to)
