"""Layers drawn in a matrix unit whose columns the threads share, for one half of a sweep or for many.

A core then reads its share of the integers alone (see `tiles`), for all chains at once, and from sweep to
sweep its own cache holds it. Between two layers the threads wait for each other. Two cores take 132 us
for a sweep of 100 chains of a 784 x 500 model, where each with half of the chains and all integers takes
170: 68 are products, as fast as one core makes its share of them alone, and 44 are draws. Where chains
are many each core's share of them is worth all integers, and it waits for nobody.
"""

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu import tiles
from ebmbench.kernels.cpu.device import BINARY, aligned_zeros
from ebmbench.kernels.cpu.drawing import draw
from ebmbench.kernels.cpu.integers import COLUMNS
from ebmbench.kernels.cpu.simd import copy
from ebmbench.kernels.cpu.standing import split_layer
from ebmbench.kernels.cpu.threads import LINE, count_pieces, count_threads, launch, layer_work, piece
from ebmbench.randomness import HIDDEN, VISIBLE

_CHAINS = 64  # of a thread, up to which threads share columns sweep by sweep
_CACHED = 2**15  # pre-activations at once


@inner(forceinline=True)
def _width(rows):
    """Columns of so many rows whose pre-activations are made before they are drawn from."""
    return max(LINE, _CACHED // max(rows, 1) // LINE * LINE)


@inner
def _draw_piece(
    matrix, bias, states, sums, room, left, right, units, beta, drawn, chain, step, seed, stream
):
    """Draw the units in [left, right) of all rows, given the other layer's states as tiles hold them."""
    rows = drawn.shape[0]
    width = _width(rows)
    for first in range(left, right, width):
        last = min(right, first + width)
        x = room[: rows * (last - first)].reshape(rows, last - first)
        tiles.multiply_laid_out(
            bias[first:last], matrix.step[first:last], matrix.planes[first // COLUMNS :], states, rows,
            0, last - first, sums, x,
        )  # fmt: skip
        end = max(first, min(last, units))
        draw(x, first, beta, drawn, first, end, chain, step, seed, stream)


@jit(parallel=True)
def _half(matrix, bias, given, across, group, drawn, beta, seed, stream, step, chain):
    rows = given.shape[0]
    for task in prange(count_pieces(rows, across, group)):
        left, right, top, bottom = piece(task, rows, bias.size, across, group, LINE)
        room = tiles.room(bottom - top, given.shape[1])
        x = np.empty((bottom - top) * _width(bottom - top), np.float32)
        tiles.lay_out(given[top:bottom], room.states)
        _draw_piece(
            matrix, bias, room.states, room.sums, x, left, right, drawn.shape[1], beta, drawn[top:bottom],
            chain + top, step, seed, stream,
        )  # fmt: skip


def half(matrix, bias, given, drawn, beta, key, layer) -> None:
    """Draw a layer, uint8 [B, units], given states of the other; what `gibbs` draws for it."""
    across, group = split_layer(matrix, len(given), bias.size)
    work = layer_work(len(given), given.shape[1], bias.size)
    at = np.float32(beta), key.seed, int(key.stream) + layer, np.uint64(key.step), key.chain
    launch(_half, work, matrix, bias, given, across, group, drawn, *at)


@jit(parallel=True)
def _sweeps(
    up, down, b, c, across, group, v, h, states_v, states_h, steps, beta, seed, stream, step, chain
):
    """states_v, states_h: uint8 [at least B + HEIGHT, bytes of a state], v's start and room for h."""
    rows, nv = v.shape
    nh = h.shape[1]
    flat_v, flat_h = states_v.reshape(states_v.size), states_h.reshape(states_h.size)
    pieces = count_pieces(rows, across, group)
    sums = np.empty((pieces, tiles.PLANES, tiles.HEIGHT, COLUMNS), np.int32)
    x = np.empty((pieces, max(_CACHED, group * LINE)), np.float32)  # groups may be of unequal sizes
    for t in range(steps):
        now = step + np.uint64(t)
        for task in prange(pieces):
            left, right, top, bottom = piece(task, rows, c.size, across, group, LINE)
            _draw_piece(
                up, c, flat_v[top * states_v.shape[1] :], sums[task], x[task], left, right, nh,
                beta, states_h[top:bottom], chain + top, now, seed, stream + HIDDEN,
            )  # fmt: skip
        for task in prange(pieces):
            left, right, top, bottom = piece(task, rows, b.size, across, group, LINE)
            _draw_piece(
                down, b, flat_h[top * states_h.shape[1] :], sums[task], x[task], left, right, nv,
                beta, states_v[top:bottom], chain + top, now, seed, stream + VISIBLE,
            )  # fmt: skip
    for r in range(rows):
        copy(states_v[r], v[r])
        copy(states_h[r], h[r])


def serves(states: np.ndarray) -> bool:
    """Whether `sweeps` is the way for chains with these states, given a matrix unit's integers."""
    return states.dtype == BINARY and len(states) <= _CHAINS * count_threads()


def sweeps(model, up, down, start, v, h, steps: int, key, beta: float) -> None:
    """Walk from `start`, writing the last states of both layers to v and h, uint8 [B, units]."""
    rows, narrow = len(start), min(model.b.size, model.c.size)
    states_v, states_h = (
        aligned_zeros(rows + tiles.HEIGHT, tiles.state_bytes(x.shape[1]) // 4).view(np.uint8)
        for x in (v, h)
    )
    states_v[:rows, : v.shape[1]] = start
    work = 2 * steps * layer_work(rows, *model.W.shape)
    launch(
        _sweeps, work, up, down, model.b, model.c, *split_layer(up, rows, narrow), v, h, states_v,
        states_h, steps, np.float32(beta), key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
