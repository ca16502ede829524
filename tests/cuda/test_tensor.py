"""Layers drawn by tensor cores, beside the cpu backend on the same rounded model.

In Numba's simulator, which knows no warps, only what prepares the rows runs here.
"""

import numpy as np
import pytest
from test_tensor_tiling import laid_out

from ebmbench.errors import Unavailable
from ebmbench.harness.gate import spread_out_model
from ebmbench.kernels.cuda.availability import SIMULATED
from ebmbench.randomness import HIDDEN, VISIBLE, Key, Stream, uniforms

pytest.importorskip("numba_cuda")
from ebmbench.kernels.cuda import tensor
from ebmbench.kernels.cuda.memory import empty, upload

needs_warps = pytest.mark.skipif(SIMULATED, reason="Numba's simulator has no tensor cores")
KEY = Key(3, Stream.CHAINS, step=2**32 - 1, chain=5)
# n_visible, n_hidden, chains: below and beyond a tile in each of them, and ragged.
SIZES = [(1, 7, 3), (37, 21, 130), (145, 129, 5)]
TERMS = ("bfloat16", "bfloat16x2")


def random_rows(chains, units):
    return np.random.default_rng([chains, units]).integers(0, 2, (chains, units), dtype=np.uint8)


def poison(*shapes):
    """Let the next arrays of these shapes be found full of ones."""
    for shape in shapes:
        empty(shape, np.uint8).copy_to_device(np.full(shape, 255, np.uint8))


def tolerance(model, layer, beta):
    """How far rounding moves a probability.

    K float32 additions, each off by at most 2**-23 of the largest partial sum, also where a tensor core
    truncates; the sigmoid has at most a quarter of that, times beta, and an error of 2**-22 of its own.
    """
    W, bias = (model.W, model.c) if layer == HIDDEN else (model.W.T, model.b)
    return beta / 4 * (len(W) + 1) * (np.abs(W).sum(0) + np.abs(bias)).max() * 2.0**-23 + 2.0**-22


@needs_warps
@pytest.mark.parametrize("arithmetic", TERMS)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("layer", [HIDDEN, VISIBLE])
def test_a_layer_is_drawn_as_by_the_cpu(cuda, cpu, layer, size, arithmetic):
    n_visible, n_hidden, chains = size
    model, beta = spread_out_model(n_visible, n_hidden), 0.8
    units, given = (n_hidden, n_visible) if layer == HIDDEN else (n_visible, n_hidden)
    states = random_rows(chains, given)
    poison((chains, units), (chains, tensor.padded(units)))
    found = cuda.get_rows(
        tensor.draw_layer(cuda.put(model, arithmetic), layer, cuda.put_rows(states), beta, KEY, 2)
    )
    on_host = cpu.put(model, arithmetic)
    probability = cpu.hidden_probability if layer == HIDDEN else cpu.visible_probability
    p = cpu.get_rows(probability(on_host, cpu.put_rows(states), beta)).astype(float)
    u = uniforms(KEY.advance(2), chains, units, layer)
    sure = np.abs(u - p) > tolerance(model, layer, beta)
    assert sure.mean() > 0.99
    assert found.shape == (chains, units)
    assert found.max() <= 1
    assert (found == (u < p))[sure].all()


@needs_warps
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sweeps_are_layers_after_each_other(cuda, size):
    n_visible, n_hidden, chains = size
    model = cuda.put(spread_out_model(n_visible, n_hidden), "bfloat16")
    start = random_rows(chains, n_visible)
    given = cuda.put_rows(start)
    last, hidden = tensor.sweeps(model, given, 3, KEY, 0.8)
    v = given
    for t in range(3):
        h = tensor.draw_layer(model, HIDDEN, v, 0.8, KEY, t)
        v = tensor.draw_layer(model, VISIBLE, h, 0.8, KEY, t)
    assert (cuda.get_rows(last) == cuda.get_rows(v)).all()
    assert (cuda.get_rows(hidden) == cuda.get_rows(h)).all()
    assert (cuda.get_rows(given) == start).all()


@needs_warps
def test_no_chains_are_no_work(cuda):
    model = cuda.put(spread_out_model(5, 3), "bfloat16")
    last, hidden = tensor.sweeps(model, empty((0, 5), np.uint8), 2, KEY, 1.0)
    assert (last.shape, hidden.shape) == ((0, 5), (0, 3))


@needs_warps
@pytest.mark.parametrize("arithmetic", TERMS)
def test_weights_are_laid_out_for_the_tiles(cuda, arithmetic):
    model = spread_out_model(45, 131)
    wanted = laid_out(model.W.astype(np.float32).astype(float), tensor.TERMS[arithmetic])
    handle = cuda.put(model)  # float: what is rounded here are the weights as they are
    handle.arithmetic = arithmetic
    found = tensor._layer(handle, HIDDEN)[0]
    assert (cuda.get_rows(found) == wanted.reshape(-1)).all()


def test_rows_are_cut_or_continued_with_zeros(cuda):
    rows = random_rows(3, 10)
    wide = cuda.get_rows(tensor._of_width(upload(rows), 32))
    assert (wide == np.pad(rows, ((0, 0), (0, 22)))).all()
    assert (cuda.get_rows(tensor._of_width(upload(wide), 10)) == rows).all()


def test_it_applies_to_many_binary_chains_in_bfloat16(cuda, monkeypatch):
    model = spread_out_model(3, 2)
    handle, many = cuda.put(model, "bfloat16"), empty((128, 3), np.uint8)
    assert tensor.applies(handle, many) is not SIMULATED
    assert not tensor.applies(handle, empty((127, 3), np.uint8))
    assert not tensor.applies(handle, empty((128, 3), np.float32))
    assert not tensor.applies(cuda.put(model, "grid"), many)
    if not SIMULATED:
        monkeypatch.setattr(tensor, "CAPABILITY", (99, 0))
        with pytest.raises(Unavailable, match="needs a GPU of compute capability 99"):
            tensor.applies(handle, many)
