"""The tensor cores' kernel on the emulated GPU with its warps in any order between two barriers."""

from importlib.util import find_spec

import numpy as np
import pytest
from conftest import random_rows
from test_tensor_tiling import laid_out
from ways import SIMULATED

if find_spec("numba_cuda") is None or SIMULATED:
    pytest.skip("numba-cuda is not installed, or is simulating", allow_module_level=True)

import ptx
from emulator.machine import Machine
from emulator.memory import Heap
from scipy.special import expit

from ebmbench.kernels.cuda.tensor import _draw
from ebmbench.kernels.cuda.tiles import THREADS
from ebmbench.randomness import Key, uniforms

CHAINS, UNITS, COLUMNS = 100, 160, 40
BETA, KEY = 0.5, Key(7, 3, step=2**32 + 5, chain=9)
RNG = np.random.default_rng(4)
W = RNG.integers(-200, 201, (UNITS, COLUMNS)) / 512.0  # 8 bits: one bfloat16, and exact sums
BIAS = np.pad(RNG.integers(-64, 65, COLUMNS) / 64.0, (0, 24)).astype(np.float32)
STATES = random_rows(CHAINS, UNITS)
BARRIER = "bar.sync \t0;"
TEXT = ptx.compile_ptx(_draw, 0, (9, 0))


def drawn(text, order):
    """What the kernel writes, uint8 [CHAINS, 64]."""
    heap, flat = Heap(1 << 20), []
    out = np.full((CHAINS, 64), 255, np.uint8)
    for array in (STATES, laid_out(W, 1).reshape(-1), BIAS, out):
        address = heap.allocate(array.nbytes)
        heap.array(address, array.shape, array.dtype)[...] = array
        flat += [0, 0, array.size, array.itemsize, address, *array.shape, *array.strides]
    scalars = [COLUMNS, 1, np.float32(BETA), KEY.seed, KEY.stream, KEY.step, KEY.chain]
    Machine(text, heap, order).launch(1, THREADS, [*flat, *scalars])
    return heap.array(address, out.shape, out.dtype).copy()


def wanted():
    p = expit(BETA * (BIAS[:COLUMNS] + STATES @ W))
    u = uniforms(KEY, CHAINS, COLUMNS)
    assert np.abs(u - p).min() > 1e-6  # sums are exact: what is left is the sigmoid's rounding
    return np.pad(u < p, ((0, 0), (0, 64 - COLUMNS)))


@pytest.mark.parametrize("order", ["lockstep", *map(np.random.default_rng, range(2))], ids=str)
def test_the_order_of_warps_does_not_matter(order):
    assert (drawn(TEXT, order) == wanted()).all()


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_barrier_is_seen(missing):
    before, *after = TEXT.split(BARRIER)
    assert len(after) == 2
    text = before + after[0].join(["" if missing == 0 else BARRIER, BARRIER if missing == 0 else ""])
    assert (drawn(text + after[1], np.random.default_rng(0)) != wanted()).any()
