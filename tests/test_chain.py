"""Pre-activations of chains that walk: lists of changes, sums and their rounding, all ways' bits."""

import numba
import numpy as np
import pytest
from conftest import complaint

from ebmbench.compile import jit
from ebmbench.kernels import api
from ebmbench.kernels.cpu import changes, standing, tiles
from ebmbench.kernels.cpu.chain import REFRESH, follow, followed, room
from ebmbench.kernels.cpu.device import aligned_zeros, padded
from ebmbench.kernels.cpu.integers import LARGEST, NONE, laid_out, listed
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, Stream

follow, followed, room = map(jit, (follow, followed, room))
SIZES = [1, 7, 15, 16, 17, 31, 33, 65, 784]
FORMS = {"float32": lambda matrix: NONE, "listed": listed, "tiles": laid_out}


@pytest.fixture(params=FORMS)
def form(request):
    """How a matrix is summed; the matrix unit only where this processor has it."""
    if request.param == "tiles" and not tiles.allowed():
        pytest.skip("this processor has no matrix unit, or may not use it")
    return FORMS[request.param]


def _states(rng, rows, units, rate):
    return (rng.random((rows, units)) < rate).astype(np.uint8)


@pytest.fixture(scope="module", params=["in one instruction", "by a table"])
def lists(request):
    """The functions that make lists, as processors with and without AVX-512 compile them."""
    states, numbers, real = np.zeros(16, np.uint8), np.zeros((2, 16), np.int32), np.zeros(16, np.float32)
    ways = {
        numba.njit(changes.list_changes): (states, states, *numbers),
        numba.njit(changes.list_on): (states, numbers[0]),
        numba.njit(changes.list_weighted): (real, numbers[0], real.copy()),
    }
    with pytest.MonkeyPatch.context() as patched:  # no longer: other kernels are compiled and kept
        patched.setattr(changes, "_COMPRESSES", request.param == "in one instruction")
        for function, given in ways.items():
            function(*given)
            function.disable_compile()
    return tuple(ways)


@pytest.mark.parametrize("units", SIZES)
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_the_lists_are_what_numpy_finds(lists, units, rate):
    """Also where every unit changes, and never a number beyond the list's end."""
    list_changes, list_on, list_weighted = lists
    rng = np.random.default_rng(units)
    new, old = _states(rng, 2, units, rate)
    for now, before in ((new, old), (np.ones_like(new), np.zeros_like(old)), (new, 1 - new)):
        written = np.full((3, units + 1), -7, np.int32)
        up, down, on = written
        rising, falling, count = list_changes(now, before, up[:-1], down[:-1])
        np.testing.assert_array_equal(up[:rising], np.flatnonzero(now & ~before & 1))
        np.testing.assert_array_equal(down[:falling], np.flatnonzero(before & ~now & 1))
        assert count == now.sum() == list_on(now, on[:-1])
        np.testing.assert_array_equal(on[:count], np.flatnonzero(now))
        values, weight = np.float32(now * (1.0 + rng.random(units))), np.full(units + 1, -7, np.float32)
        assert list_weighted(values, on[:-1], weight[:-1]) == count
        np.testing.assert_array_equal(on[:count], np.flatnonzero(now))
        np.testing.assert_array_equal(weight[:count], values[now != 0])
        assert (written[:, -1] == -7).all()
        assert weight[-1] == -7


def _layer(rng, units, columns, scale=0.1):
    matrix, bias = aligned_zeros(units, padded(columns)), aligned_zeros(padded(columns))
    matrix[:, :columns] = np.rint(scale * rng.normal(size=(units, columns)) * 2**16) / 2**16
    bias[:columns] = np.rint(rng.normal(size=columns) * 2**16) / 2**16
    return bias, matrix


class _Walk:
    """A group's calls of `follow`; x is poisoned before the first one."""

    def __init__(self, form, bias, matrix, chains):
        self.bias, self.W, self.matrix = bias, matrix, form(matrix)
        units = len(matrix)
        self.last, self.room = followed(self.matrix, chains, units), room(self.matrix, chains, units)
        self.x = np.full((chains, bias.size), np.nan, np.float32)
        self.sweep = 0

    def __call__(self, new):
        follow(self.bias, self.W, self.matrix, new, self.last, self.sweep, self.room, self.x)
        self.sweep += 1
        return self.x


@pytest.mark.parametrize("chains", [1, 5, 17, 33, 70])
@pytest.mark.parametrize(("units", "columns"), [(200, 1), (200, 130), (64, 300), (65, 32), (7, 1024)])
def test_on_the_grid_all_ways_give_the_exact_sum(form, units, columns, chains):
    """After few flips, after many, and where nothing flipped."""
    rng = np.random.default_rng(columns)
    bias, matrix = _layer(rng, units, columns)
    walk, new = _Walk(form, bias, matrix, chains), _states(rng, chains, units, 0.3)
    for flips in (0.0, 0.02, 0.9, 0.0, 0.02):
        new = new ^ _states(rng, chains, units, flips)
        np.testing.assert_array_equal(walk(new), bias + new.astype(np.float64) @ matrix)


@pytest.mark.parametrize("flips", [0.02, 0.9])
def test_float_sums_follow_few_flips_and_start_anew_after_many(flips):
    """What was added to x from outside stays where rows are added to it."""
    rng, units, columns = np.random.default_rng(0), 200, 130
    bias, matrix = _layer(rng, units, columns)
    old = _states(rng, 5, units, 0.3)
    new = old ^ _states(rng, 5, units, flips)
    walk = _Walk(FORMS["float32"], bias, matrix, 5)
    walk(old)
    walk.x += 1.0
    exact = bias + new.astype(np.float64) @ matrix
    np.testing.assert_array_equal(walk(new), exact + (flips < 0.5))
    np.testing.assert_array_equal(walk.last.states, new)


def test_the_rounding_of_a_sum_stays_bounded(form):
    """As many sweeps as float32 sums are kept for, 10 % of 784 units flipping, weights of any float."""
    rng, units, columns = np.random.default_rng(0), 784, 64
    bias, matrix = _layer(rng, units, columns)
    matrix[:, :columns] += 1e-3 * rng.random((units, columns), np.float32)
    state, walk = _states(rng, 8, units, 0.3), _Walk(form, bias, matrix, 8)
    worst = 0.0
    for _ in range(REFRESH):
        exact = bias.astype(np.float64) + state.astype(np.float64) @ matrix.astype(np.float64)
        worst = max(worst, np.abs(walk(state) - exact).max())
        state = state ^ _states(rng, 8, units, 0.1)
    # Float32: 5,000 roundings of half a unit of |x| < 16 at random come to 3e-5. Integers: 240 roundings
    # to a step of 2**-24 have a standard deviation of 3e-7, 30,000 sums see five, and x is rounded twice.
    assert 0.0 < worst < (4e-5 if form is FORMS["float32"] else 3e-6)


def test_integers_of_both_forms_give_the_same_bits():
    """For columns of any size, of one large weight, of many that fill the sum, of zeros."""
    if not tiles.allowed():
        pytest.skip("this processor has no matrix unit, or may not use it")
    rng, units, columns = np.random.default_rng(1), 1000, 48
    bias, matrix = _layer(rng, units, columns)
    matrix *= np.logspace(-30, 30, columns, dtype=np.float32)
    matrix[:, 5], matrix[:, 6], matrix[3, 7] = 0.0, 0.7, 1e4
    states = _states(rng, 20, units, 0.5)
    states[0], states[1] = 1, 0
    found = [_Walk(FORMS[name], bias, matrix, 20)(states).copy() for name in ("listed", "tiles")]
    np.testing.assert_array_equal(*found)
    exact = bias + states.astype(np.float64) @ matrix
    sizes = np.abs(matrix.astype(np.float64))
    rounding = np.maximum(sizes.max(axis=0) * 2.0**-22, sizes.sum(axis=0) * 2.0**-30)
    assert (np.abs(found[0] - exact) <= units * rounding + np.abs(exact) * 2.0**-22).all()
    assert np.abs(listed(matrix).listed.astype(np.int64)).sum(axis=0).max() < 2**31


def test_a_column_that_is_not_finite_shows(form):
    rng, units = np.random.default_rng(2), 30
    bias, matrix = _layer(rng, units, 40)
    matrix[3, 5], matrix[4, 33] = np.nan, np.inf
    x = _Walk(form, bias, matrix, 9)(np.ones((9, units), np.uint8))
    assert not np.isfinite(x[:, [5, 33]]).any()
    assert np.isfinite(np.delete(x, [5, 33], axis=1)).all()


def _walks(handle, k, rows, chains=21):
    """What chains come to beyond where sums start anew; a ladder has 4 temperatures, another one 20."""
    v, h = k.gibbs(handle, rows, REFRESH + 3, Key(1, Stream.CHAINS))
    base = np.zeros(handle.n_visible)
    annealed = k.anneal(handle, base, np.linspace(0, 1, REFRESH + 5), chains, Key(2, Stream.ANNEALING))
    ladders = [
        k.temper(handle, base, np.linspace(0, 1, steps), v[:steps], REFRESH + 3, Key(3, Stream.CHAINS))[0]
        for steps in (4, 20)
    ]
    return v, h, annealed.log_weights, annealed.v, *ladders


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("arithmetic", ["float", "grid"])
def test_a_chain_does_not_see_its_group(monkeypatch, arithmetic, grey, unit):
    """The same bits alone and in groups of any size, past where sums start anew, binary start or not."""
    if not unit:
        monkeypatch.setattr(tiles, "allowed", lambda: False)
    rng, k = np.random.default_rng(3), api.load("cpu")
    model = RBM(0.1 * rng.normal(size=(40, 30)), rng.normal(size=40), rng.normal(size=30))
    handle, start = k.put(model, arithmetic), _states(rng, 21, 40, 0.3)
    rows = k.put_rows(0.5 * start if grey else start)
    found = []
    for size in (1, 3, 64):
        monkeypatch.setattr(standing, "group_size", lambda chains, largest=0, size=size: size)
        found.append(_walks(handle, k, rows))
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("largest", [1.0, 200.0])
def test_on_the_grid_the_matrix_unit_changes_no_bit(monkeypatch, largest):
    """Nor where a weight is too large for three bytes, as the grid allows it to be."""
    rng, k = np.random.default_rng(4), api.load("cpu")
    model = RBM(0.1 * rng.normal(size=(40, 30)), rng.normal(size=40), rng.normal(size=30))
    model.W[3, 4] = largest
    rows = k.put_rows(_states(rng, 30, 40, 0.3))
    found = [_walks(k.put(model, "grid"), k, rows, 30)]
    monkeypatch.setattr(tiles, "allowed", lambda: False)
    found.append(_walks(k.put(model, "grid"), k, rows, 30))
    for one, same in zip(*found, strict=True):
        np.testing.assert_array_equal(one, same)


def test_integers_are_made_again_after_an_update():
    if not tiles.allowed():
        pytest.skip("this processor has no matrix unit, or may not use it")
    rng, k = np.random.default_rng(5), api.load("cpu")
    model = RBM(0.1 * rng.normal(size=(40, 30)), rng.normal(size=40), rng.normal(size=30))
    handle, rows = k.put(model), k.put_rows(_states(rng, 20, 40, 0.3))
    before = standing.standing(handle, 20, 2)
    assert standing.standing(handle, 20, 2) is before
    step = before[0].step[:30].copy()  # whose memory the next ones take
    k.gibbs(handle, rows, 2, Key(1, Stream.CHAINS))
    gradient = {"W": handle.W.copy()}
    k.update(handle, {"W": np.zeros_like(handle.W)}, gradient, 1.0, 0.0, 0.0)
    walked = k.gibbs(handle, rows, 2, Key(1, Stream.CHAINS))
    fresh = k.gibbs(k.put(k.get(handle)), rows, 2, Key(1, Stream.CHAINS))
    for one, same in zip(walked, fresh, strict=True):
        np.testing.assert_array_equal(one, same)
    np.testing.assert_array_equal(standing.standing(handle, 20, 2)[0].step[:30], 2 * step)


def test_a_single_sweep_converts_nothing():
    rng, k = np.random.default_rng(6), api.load("cpu")
    handle = k.put(RBM(0.1 * rng.normal(size=(40, 30)), rng.normal(size=40), rng.normal(size=30)))
    rows = k.put_rows(_states(rng, 20, 40, 0.3))
    k.gibbs(handle, rows, 1, Key(1, Stream.CHAINS))
    assert handle.integers is None
    k.gibbs(handle, rows, 2, Key(1, Stream.CHAINS))
    assert (handle.integers is not None) == tiles.allowed()


def test_the_largest_integer_fits_its_bytes():
    """Three digits from -128 to 127 hold it, and every one of them is laid out as it is."""
    assert LARGEST <= 127 * (1 + 2**8 + 2**16)
    matrix = aligned_zeros(64, 16)
    matrix[:, 0] = np.linspace(-1, 1, 64) * LARGEST
    numbers = listed(matrix)
    planes = laid_out(matrix).planes.view(np.int8).astype(np.int64)  # [1, 3, 1, 2, 16, 64]
    digits = planes[0, :, 0, 0].reshape(3, 16, 16, 4)[:, :, 0].reshape(3, 64)
    np.testing.assert_array_equal(np.array([2**16, 2**8, 1]) @ digits, numbers.listed[:, 0])
    assert (np.abs(numbers.listed[:, 0] - matrix[:, 0]) <= 0.5).all()
    assert numbers.step[0] == 1.0


def test_rows_that_do_not_lie_in_order_are_one_sentence():
    model = RBM(np.zeros((4, 3)), np.zeros(4), np.zeros(3))
    k = api.load("cpu")
    rows = np.asfortranarray(_states(np.random.default_rng(0), 5, 4, 0.5))
    said = complaint(k.gibbs, k.put(model), rows, 1, Key(0, Stream.CHAINS))
    assert said == "v must be rows that lie one after the other: pass them to put_rows"
