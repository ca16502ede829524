"""The scalar functions: accuracy over the whole range, special values, equal bits on every path."""

import numpy as np
import pytest
from conftest import applied

from ebmbench import philox, scalar
from ebmbench.compile import jit
from ebmbench.instructions import quotient

ULP = 2.0**-23  # of float32 at 1


@jit
def exps(x, out):
    for i in range(x.size):
        out[i] = scalar.exp(x[i])


@jit
def sigmoids(x, out):
    for i in range(x.size):
        out[i] = scalar.sigmoid(x[i])


@jit
def probabilities(x, out):
    for i in range(x.size):
        out[i] = scalar.probability(x[i])


@jit
def units(words, out):
    for i in range(words.size):
        out[i] = philox.unit_interval(words[i])


@jit
def logs(x, out):
    for i in range(x.size):
        out[i] = scalar.log(x[i])


def inputs(lowest, highest):
    """Float32 values over the range: a fine grid, powers of two, and where 2**n changes its n."""
    grid = np.linspace(lowest, highest, 2**18)
    halves = (np.arange(-126, 127) + 0.5) * np.log(2.0)
    steps = np.concatenate([np.float32(halves) + np.spacing(np.float32(halves)) * j for j in (-1, 0, 1)])
    tiny = 2.0 ** np.arange(-149.0, 6.0)
    x = np.float32(np.concatenate([grid, steps, tiny, -tiny, [0.0, -0.0]]))
    return np.unique(x[(x >= lowest) & (x <= highest)])


def test_unit_interval_is_exact_and_open():
    words = np.random.default_rng(1).integers(0, 2**32, 10_000, dtype=np.uint32)
    words[:4] = 0, 2**32 - 1, 511, 512
    u = applied(units, words)
    assert (u.astype(np.float64) == ((words >> 9) + 0.5) * 2.0**-23).all()
    assert u[0] == 2.0**-24
    assert u[1] == 1.0 - 2.0**-24
    assert u[2] == u[0] < u[3]


def test_exp_is_accurate_to_two_units_in_the_last_place():
    x = inputs(-87.0, 87.0)
    wanted = np.exp(x.astype(np.float64))
    ulps = np.abs(applied(exps, x) - wanted) / np.spacing(wanted.astype(np.float32))
    assert ulps.max() <= 2.0


def test_exp_of_zero_is_one():
    assert (applied(exps, np.float32([0.0, -0.0])) == 1.0).all()


def test_exp_is_held_to_its_range():
    ends = applied(exps, np.float32([-87.0, 87.0]))
    assert (applied(exps, np.float32([-np.inf, -1e30, -87.1])) == ends[0]).all()
    assert (applied(exps, np.float32([np.inf, 1e30, 87.1])) == ends[1]).all()
    assert 0.0 < ends[0] < ends[1] < np.inf


def test_sigmoid_is_accurate_to_three_units_in_the_last_place():
    """In units u = 2**-24 of relative error: exp 4, 1 + exp 1, the quotient 1, so at most 6 u.

    Over the range in which e**-x is not held, -87 < x < 87.
    """
    x = inputs(-87.0, 87.0)
    wanted = 1.0 / (1.0 + np.exp(-x.astype(np.float64)))
    assert (np.abs(applied(sigmoids, x) - wanted) / wanted).max() <= 3.0 * ULP


def test_sigmoid_saturates_where_no_uniform_can_tell():
    low, high = applied(sigmoids, np.float32([-np.inf, np.inf]))
    assert 0.0 <= low < 2.0**-24  # the smallest uniform: the unit is never on
    assert high == 1.0  # above the largest uniform: the unit is always on
    assert applied(sigmoids, np.float32([-1000.0, 1000.0])).tolist() == [low, high]


def test_no_probability_is_so_small_that_a_float32_loses_its_leading_1():
    """A processor takes a hundred times as long for products of such numbers."""
    x = np.float32([-np.inf, -1e9, -100.0, -88.0, -87.5, -87.0, -60.0, -42.0])
    assert (applied(sigmoids, x) >= np.finfo(np.float32).smallest_normal).all()
    least = applied(probabilities, x)
    assert (least == least[0]).all()
    assert scalar.TINY <= least[0] < 1.1 * scalar.TINY
    usual = np.linspace(-41.0, 90.0, 1001, dtype=np.float32)
    assert (applied(probabilities, usual) == applied(sigmoids, usual)).all()


def test_settled_is_zero_only_below_the_least():
    x = np.float32([0.0, 1e-19, -1e-19, 1e-18, -1e-18, np.inf, -np.inf])
    found = [float(scalar.settled(value, scalar.TINY)) for value in x]
    assert found == [0.0, 0.0, 0.0, *(float(value) for value in x[3:])]
    assert np.isnan(scalar.settled(np.float32(np.nan), scalar.TINY))


def test_sigmoid_of_zero_is_one_half():
    assert (applied(sigmoids, np.float32([0.0, -0.0])) == 0.5).all()


@pytest.mark.parametrize("loop", [exps, sigmoids, probabilities])
def test_nan_stays_nan(loop):
    x = np.float32([0.0, np.nan, 1.0, -np.nan] * 9)  # in vector lanes and in the loop's remainder
    assert (np.isnan(applied(loop, x)) == np.isnan(x)).all()


@pytest.mark.parametrize("loop", [exps, sigmoids, probabilities])
def test_monotone(loop):
    """Points 3e-4 apart: e**x grows by 3e-4, a thousand times the error of either function.

    Where sigmoid saturates, the rounded sum and quotient of a monotone e**-x are monotone too.
    """
    y = applied(loop, np.linspace(-100.0, 100.0, 2**16 * 10, dtype=np.float32))
    assert (np.diff(y) >= 0).all()


@pytest.mark.parametrize(("loop", "function"), [(exps, scalar.exp), (sigmoids, scalar.sigmoid)])
def test_a_vector_lane_and_a_single_call_give_the_same_bits(loop, function):
    x = np.random.default_rng(2).uniform(-95.0, 95.0, 501).astype(np.float32)
    assert applied(loop, x).tolist() == [float(function(value)) for value in x]


def test_exp64_is_accurate_over_its_range():
    """1.5 units in the last place were seen over a million points; 2 are allowed."""
    x = np.linspace(-708.0, 709.0, 20_001)
    got = np.array([scalar.exp64(value) for value in x])
    assert np.abs(got / np.exp(x) - 1).max() < 2 * np.finfo(np.float64).eps


def test_exp64_holds_its_bounds_and_keeps_nan():
    assert scalar.exp64(0.0) == 1.0
    assert scalar.exp64(-1e9) == pytest.approx(np.exp(-708.0), rel=1e-15)
    assert scalar.exp64(1e9) == pytest.approx(np.exp(709.0), rel=1e-15)
    assert np.isnan(scalar.exp64(np.nan))


def test_log_is_accurate_to_two_units_in_the_last_place():
    x = np.float32(
        np.concatenate([np.geomspace(2.0**-126, 2.0**127, 2**18), np.linspace(0.5, 2.0, 2**18)])
    )
    wanted = np.log(x.astype(np.float64))
    ulps = np.abs(applied(logs, x) - wanted) / np.spacing(np.abs(wanted).astype(np.float32))
    assert ulps.max() <= 2.0
    assert applied(logs, np.float32([1.0])) == 0.0


def test_normalised_splits_a_number_exactly():
    x = np.exp(np.random.default_rng(0).uniform(-80, 80, 1000)).astype(np.float32)
    for value in x:
        mantissa, exponent = scalar.normalised(value)
        assert 1.0 <= mantissa < 2.0
        assert np.ldexp(np.float64(mantissa), exponent) == value
    assert np.isnan(scalar.normalised(np.float32(np.nan))[0])


def test_a_quotient_is_that_of_a_division():
    a, b = np.exp(np.random.default_rng(1).uniform(-40, 40, (2, 100))).astype(np.float32)
    assert [quotient(*pair) for pair in zip(a, b, strict=True)] == list(a / b)
