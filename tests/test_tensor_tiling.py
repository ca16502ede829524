"""How tensor cores are fed: the kernel's tiles walked in NumPy by the kernel's own index functions.

Blocks, threads, copies, shared memory, registers and products are followed one by one; what a warp's
instructions do is the emulator's, from the PTX ISA. The weights are whole numbers, so sums are exact.
"""

from itertools import product as combinations

import numpy as np
import pytest
from emulator.warps import ldmatrix, mma_m16n8k16

from ebmbench.kernels.cuda import tiles as t
from ebmbench.models.arithmetic import to_bfloat16

THREAD = np.arange(t.THREADS)
LANE, WARP = THREAD & 31, THREAD >> 5
STEP = np.arange(t.WEIGHTS)


def each(function, *arguments):
    """A kernel's function of scalars for arrays of them."""
    return np.vectorize(function, otypes=[np.int64])(*arguments)


UPPER_ROW, LOWER_ROW = each(t.state_row, THREAD), each(t.state_row, THREAD + t.THREADS)
CHUNK_COLUMN = each(t.state_column, THREAD)
TARGETS = [each(t.chunk_byte, THREAD + t.THREADS * n) for n in range(t.STATE_CHUNKS)]
WEIGHT_UNIT, WEIGHT_COLUMN = each(t.weight_unit, STEP), each(t.weight_column, STEP)
OWN_STATES, OWN_WEIGHTS = each(t.matrix_byte, LANE, WARP), each(t.weight_byte, LANE, WARP)


def up(n, multiple):
    return -(-n // multiple) * multiple


def laid_out(W, terms):
    """The bfloat16 terms of W, padded with zeros, in the order of the tiles: [tile, step, element]."""
    units, columns = W.shape
    wide = np.zeros((up(units, t.DEPTH), up(columns, t.COLUMNS)))
    wide[:units, :columns] = W
    high = to_bfloat16(wide)
    parts = [high, to_bfloat16(wide - high)][:terms]
    steps = [
        [part[t.DEPTH * step + WEIGHT_UNIT, t.COLUMNS * tile + WEIGHT_COLUMN]
         for step in range(len(wide) // t.DEPTH) for part in parts]
        for tile in range(wide.shape[1] // t.COLUMNS)
    ]  # fmt: skip
    return (np.array(steps, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def conflicts(addresses, size):
    """How often a bank is asked for a second word in one cycle, 128 bytes of a warp's lanes a cycle."""
    found = 0
    for lanes in addresses.reshape(-1, 128 // size):
        banks = (lanes[:, None] + np.arange(0, size, 4)) // 4 % 32
        found += banks.size - len(np.unique(banks))
    return found


def put(shared, written, target, values):
    """A thread's copy of 16 bytes: aligned, inside, and of bytes that no other thread has written."""
    assert (target % t.CHUNK == 0).all()
    where = target[:, None] + np.arange(t.CHUNK)
    assert where.min() >= 0
    assert where.max() < t.STAGE_BYTES
    np.add.at(written, where, 1)
    shared[where] = values


def stage(states, step, first_row, weights):
    """Shared memory after a step's copies."""
    shared, written = np.full(t.STAGE_BYTES, 255, np.uint8), np.zeros(t.STAGE_BYTES, int)
    for rows, target in zip((UPPER_ROW, LOWER_ROW), TARGETS, strict=True):
        source = np.minimum(first_row + rows, len(states) - 1)
        columns = t.DEPTH * step + CHUNK_COLUMN[:, None] + np.arange(t.CHUNK)
        put(shared, written, target, states[source[:, None], columns])
    for n in range(t.WEIGHT_CHUNKS):
        chunk = THREAD + t.THREADS * n
        values = weights.view(np.uint8).reshape(-1, t.CHUNK)[chunk]
        put(shared, written, t.STATE_BYTES + t.CHUNK * chunk, values)
    assert (written == 1).all()
    return shared


def expanded(word, upper):
    """Two of a word's four bytes as two bfloat16."""
    low, high = (word >> np.uint32(16 * upper + 8 * n) & np.uint32(0xFF) for n in range(2))
    return (low | high << np.uint32(16)) * np.uint32(0x3F80)


def multiply(shared, sums):
    """What each warp's instructions make of a step, in the order of the code."""

    def load(where, kind):
        assert where.min() >= 0
        assert where.max() + kind.itemsize <= t.STATE_BYTES
        return shared.view(kind)[where // kind.itemsize]

    words = []
    for strip in range(t.STRIPS):
        at = OWN_STATES + t.STRIP_BYTES * strip
        assert conflicts(at, 16) == 0
        words.append(ldmatrix(load, at.astype(np.uint64), 4, transposed=False))
    for n, pair in combinations(range(t.PRODUCTS), range(t.PAIRS)):
        at = t.STATE_BYTES + OWN_WEIGHTS + t.PRODUCT_BYTES * n + t.PAIR_BYTES * pair
        assert (at % 16 == 0).all()
        assert conflicts(at, 16) == 0
        b = shared.view(np.uint32)[at[:, None] // 4 + np.arange(4)].T
        for strip, half in combinations(range(t.STRIPS), range(2)):
            a = [expanded(words[strip][2 * n + row], upper) for upper in (0, 1) for row in (0, 1)]
            first = t.accumulator(strip, pair, half, 0)
            sums[first : first + 4] = mma_m16n8k16(
                a, [b[2 * half], b[2 * half + 1]], sums[first : first + 4]
            )


def walk(states, W, terms):
    """states @ W by the tiles, and how often each element was written; NaN where never."""
    chains, columns = len(states), W.shape[1]
    padded = np.zeros((chains, up(states.shape[1], t.DEPTH)), np.uint8)
    padded[:, : states.shape[1]] = states
    weights = laid_out(W, terms)
    out, written = np.full((chains, columns), np.nan), np.zeros((chains, columns), int)
    for row_tile, tile in combinations(range(-(-chains // t.ROWS)), range(len(weights))):
        sums = [np.zeros(t.THREADS, np.float32) for _ in range(t.ACCUMULATORS)]
        for n, elements in enumerate(weights[tile]):
            multiply(stage(padded, n >> (terms - 1), t.ROWS * row_tile, elements), sums)
        for quad, unit in combinations(range(2 * t.QUADS), range(4)):
            row = t.ROWS * row_tile + each(t.quad_row, quad, LANE, WARP)
            column = t.COLUMNS * tile + each(t.quad_column, quad, LANE, WARP)
            assert (column % 4 == 0).all()  # one call of Philox, one aligned word of states
            live = (row < chains) & (column + unit < columns)
            at = row[live], column[live] + unit
            np.add.at(written, at, 1)
            out[at] = sums[t.quad_accumulator(quad, unit)][live]
    return out, written


def whole_weights(rng, units, columns, terms):
    """Whole numbers that so many bfloat16 terms hold exactly, and in general no fewer."""
    limit = 2 ** (8 * terms)
    return rng.integers(-limit + 1, limit, (units, columns)).astype(float)


SIZES = [(1, 1, 1), (7, 31, 33), (130, 37, 129), (129, 145, 7), (300, 65, 257)]  # chains, units, columns


@pytest.mark.parametrize("terms", [1, 2])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_tiles_are_the_product(size, terms):
    chains, units, columns = size
    rng = np.random.default_rng(5)
    W = whole_weights(rng, units, columns, terms)
    assert (to_bfloat16(W, terms) == W).all()
    states = rng.integers(0, 2, (chains, units)).astype(np.uint8)
    out, written = walk(states, W, terms)
    assert (written == 1).all()
    assert (out == states @ W).all()


def test_every_weight_of_a_step_has_one_place():
    places = set(zip(WEIGHT_UNIT.tolist(), WEIGHT_COLUMN.tolist(), strict=True))
    assert places == set(combinations(range(t.DEPTH), range(t.COLUMNS)))


def test_stages_fit_into_shared_memory_and_laid_out_sums_into_stages():
    assert t.SHARED_BYTES <= 48 * 1024
    assert 4 * 4 * t.QUADS * t.THREADS <= t.SHARED_BYTES
    assert [each(t.next_stage, t.STAGE_BYTES * n) for n in range(3)] == [
        t.STAGE_BYTES,
        2 * t.STAGE_BYTES,
        0,
    ]
    numbers = [t.quad_accumulator(quad, unit) for quad in range(2 * t.QUADS) for unit in range(4)]
    assert sorted(numbers) == list(range(t.ACCUMULATORS))


def test_rows_that_are_not_swizzled_would_conflict():
    """That the count above can count."""
    plain = t.DEPTH * (LANE & 15) + t.CHUNK * (LANE >> 4)
    assert conflicts(plain[:32], 16) > 0
