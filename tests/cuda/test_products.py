"""Products in tiles: bits of the cpu backend, every element written, padding zero; both sizes of tile."""

import numpy as np
import pytest
from conftest import random_rows

from ebmbench.harness.sources import random_model
from ebmbench.kernels.cuda import device, memory, products
from ebmbench.randomness import HIDDEN, VISIBLE, Key, Stream

SIZES = [(1, 7, 3), (7, 1, 1), (31, 33, 7), (33, 65, 2), (65, 31, 5)]
KEY = Key(3, Stream.CHAINS, step=2**32 - 1, chain=5)


def poisoned(*shape, dtype=np.float32):
    """An array on the device whose every byte is 255: NaN, or no state."""
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return memory.upload(np.full(count, 255, np.uint8).view(dtype).reshape(shape))


def grey_rows(count, units):
    return np.random.default_rng([count, units]).random((count, units), np.float32)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("arithmetic", ["float", "grid"])
def test_drawn_layers_have_the_bits_of_the_cpu(cuda, cpu, tile, arithmetic, size):
    n_visible, n_hidden, rows = size
    host = random_model(n_visible, n_hidden, 0.3)
    v = random_rows(rows, n_visible)
    model = cuda.put(host, arithmetic)
    wanted_v, wanted_h = cpu.gibbs(cpu.put(host, arithmetic), v, 1, KEY, 0.7)
    h, new = poisoned(rows, n_hidden, dtype=np.uint8), poisoned(rows, n_visible, dtype=np.uint8)
    arguments = 0.7, KEY._replace(step=0)
    products.draw_layer(model.W, model.c, cuda.put_rows(v), n_hidden, *arguments, HIDDEN, KEY.step, h)
    products.draw_layer(model.Wt, model.b, h, n_visible, *arguments, VISIBLE, KEY.step, new)
    assert (cuda.get_rows(h) == wanted_h).all()
    assert (cuda.get_rows(new) == wanted_v).all()


def test_drawn_from_grey_rows(cuda, cpu, tile):
    """The cpu rounds each product and the GPU does not: no uniform of this seed lies in between."""
    host, v = random_model(31, 33, 0.3), grey_rows(5, 31)
    h = poisoned(5, 33, dtype=np.uint8)
    model = cuda.put(host)
    products.draw_layer(model.W, model.c, cuda.put_rows(v), 33, 1.0, KEY, HIDDEN, KEY.step, h)
    assert (cuda.get_rows(h) == cpu.gibbs(cpu.put(host), v, 1, KEY)[1]).all()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_inputs_have_the_bits_of_the_cpu(cuda, cpu, tile, size):
    """Of binary rows; sums of at most 65 products of size below 2 differ by 65 * 2 * 2**-24 else."""
    n_visible, n_hidden, rows = size
    host = random_model(n_visible, n_hidden, 0.3)
    v, grey = random_rows(rows, n_visible), grey_rows(rows, n_visible)
    given, wanted = cuda.put(host), cpu.put(host)
    assert (cuda.hidden_input(given, cuda.put_rows(v)) == cpu.hidden_input(wanted, v)).all()
    found = cuda.hidden_input(given, cuda.put_rows(grey))
    assert np.abs(found - cpu.hidden_input(wanted, grey)).max() < 65 * 2 * 2.0**-24


@pytest.mark.parametrize("rows", [(3, 9), (8, 8), (1, 17)], ids=str)
def test_two_phases_in_one_launch(cuda, cpu, tile, rows):
    """The rows of the second follow those of the first, and columns that are padding become zero."""
    host = random_model(7, 33, 0.3)
    phases = [random_rows(count, 7, seed) for seed, count in enumerate(rows)]
    model, out = cuda.put(host), poisoned(sum(rows), device.padded(33))
    products.layer(model.W, model.c, *(cuda.put_rows(v) for v in phases), 33, out, beta=0.7)
    found = cuda.get_rows(out)
    wanted = cpu.hidden_probability(cpu.put(host), np.concatenate(phases), 0.7)
    assert (found[:, :33] == wanted).all()
    assert (found[:, 33:] == 0).all()


@pytest.mark.parametrize("size", [(31, 33, (7, 2)), (33, 30, (2, 17)), (32, 32, (3, 0))], ids=str)
def test_the_contrast_of_two_phases(cuda, tile, size):
    """Means of at most 17 numbers in [0, 1] to 17 * 2**-22, and nothing in the padding."""
    n_visible, n_hidden, rows = size
    plus, minus = (grey_rows(count, n_visible) for count in rows)
    p = np.zeros((sum(rows), device.padded(n_hidden)), np.float32)
    p[:, :n_hidden] = grey_rows(sum(rows), n_hidden)
    outputs = [
        poisoned(*shape)
        for shape in (
            (n_visible, p.shape[1]),
            *2 * ((device.padded(n_visible),), (p.shape[1],)),
        )
    ]
    products.contrast(*(memory.upload(x) for x in (p, plus, minus)), n_hidden, *outputs)
    W, b, c, b_mean, c_mean = map(cuda.get_rows, outputs)

    def mean(rows, of):
        return of / max(len(rows), 1)

    on, off = p[: rows[0], :n_hidden].astype(float), p[rows[0] :, :n_hidden].astype(float)
    v_on, v_off = (mean(x, x.sum(axis=0, dtype=float)) for x in (plus, minus))
    h_on, h_off = (mean(x, x.sum(axis=0)) for x in (on, off))
    tolerance = 17 * 2.0**-22
    for found, wanted in (
        (W, mean(plus, plus.T @ on) - mean(minus, minus.T @ off)),
        (b, v_on - v_off),
        (c, h_on - h_off),
        (b_mean, (v_on + v_off) / 2),
        (c_mean, (h_on + h_off) / 2),
    ):
        logical = wanted.shape[-1]
        assert np.abs(found[..., :logical] - wanted).max() < tolerance
        assert (found[..., logical:] == 0).all()


def test_rows_of_two_kinds_are_contrasted_as_floats(cuda, cpu):
    host = random_model(31, 7, 0.3)
    grey, v = grey_rows(3, 31), random_rows(5, 31)
    given, wanted = cuda.put(host), cpu.put(host)
    found = cuda.moments(given, cuda.put_rows(grey), cuda.put_rows(v))
    for tree, other in zip(found, cpu.moments(wanted, grey, v), strict=True):
        one, two = cuda.get_tree(given, tree), cpu.get_tree(wanted, other)
        assert all(np.abs(one[name] - two[name]).max() < 1e-6 for name in one)
