"""The normal law of single units: its variates over all uniforms, and what two laws make together."""

import numpy as np
import pytest
from conftest import applied
from scipy.special import ndtri

from ebmbench import normal
from ebmbench.compile import jit
from ebmbench.randomness import Key, uniforms
from ebmbench.randomness import normals as float64_normals

ULP = 2.0**-23  # of float32 at 1

# All values that a uniform takes.
UNIFORMS = ((np.arange(2**23) + 0.5) * 2.0**-23).astype(np.float32)


@jit
def normals(u, out):
    for i in range(u.size):
        out[i] = normal.normal(u[i])


def test_normal_is_the_inverse_of_the_distribution_function():
    """Six units u = 2**-23 of relative error, for every uniform there is.

    AS 241 leaves 1e-7, about 1 u. Centre: numerator and denominator are sums of terms of one sign,
    each within half a unit a product and a sum, 3 u together at their largest; quotient and product
    1 u. Tail: log and root pass 1 u on, halved by the root and enlarged by 4.1 / 2.5 as r loses 1.6.
    """
    wanted = ndtri(UNIFORMS.astype(np.float64))
    found = applied(normals, UNIFORMS)
    assert (np.abs(found - wanted) / np.abs(wanted)).max() <= 6 * ULP
    assert np.abs(found - wanted).max() < 1.3e-6  # what kernels add to a state, in standard deviations


def test_normal_is_monotone_and_odd():
    x = applied(normals, UNIFORMS)
    assert (np.diff(x) >= 0.0).all()
    assert (x == -x[::-1]).all()
    assert np.isfinite(x).all()


def test_normal_in_a_single_call_gives_the_same_bits():
    u = UNIFORMS[:: 2**23 // 501]
    assert applied(normals, u).tolist() == [float(normal.normal(value)) for value in u]


def test_normals_of_a_key_are_those_of_its_uniforms():
    key = Key(5, 3, 7, 2)
    found = applied(normals, uniforms(key, 40, 30).ravel())
    np.testing.assert_allclose(found, float64_normals(key, 40, 30).ravel(), rtol=6 * ULP)
    assert (float64_normals(key, 40, 30, 1) != float64_normals(key, 40, 30)).all()


def test_a_normal_between_two_has_the_energy_of_the_path():
    """(1 - beta) E_base + beta E and the energy of the result differ by a constant: two differences."""
    rng = np.random.default_rng(2)
    for base_mean, mean, beta in zip(*rng.normal(size=(2, 20)), rng.uniform(0, 1, 20), strict=True):
        base_precision, precision = rng.uniform(0.5, 3.0, 2)
        given = np.float32(mean), np.float32(precision)
        centre, spread = normal.normal_between(base_mean, base_precision, *given, beta)
        x = np.array([-1.0, 0.0, 2.0])
        path = (1 - beta) * base_precision * (x - base_mean) ** 2 + beta * precision * (x - mean) ** 2
        np.testing.assert_allclose(np.diff(path), np.diff(((x - centre) / spread) ** 2), atol=2e-5)
        assert normal.normal_about(centre, spread, np.float32(0.5)) == centre
        energy = normal.quadratic(2.0, base_mean, base_precision)
        assert energy == pytest.approx(base_precision * (2.0 - base_mean) ** 2 / 2)


def test_a_normal_of_both_is_their_product():
    """Its log density and the sum of theirs differ by a constant."""
    rng = np.random.default_rng(3)
    for one, other in rng.normal(size=(20, 2)):
        one_precision, precision = rng.uniform(0.5, 3.0, 2)
        centre, spread = normal.normal_of_both(one, one_precision, other, precision)
        x = np.array([-1.0, 0.0, 2.0])
        both = one_precision * (x - one) ** 2 + precision * (x - other) ** 2
        np.testing.assert_allclose(np.diff(both), np.diff(((x - centre) / spread) ** 2), atol=2e-5)
    assert normal.normal_of_both(0.3, 1e30, 5.0, 1.0)[0] == np.float32(0.3)  # what is known stays
    assert normal.normal_of_both(9.0, 0.0, 0.25, 4.0) == (0.25, 0.5)  # and what is missing says nothing
