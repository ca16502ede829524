"""Pseudolikelihood and ratio matching against independent objectives and enumerated truth."""

import numpy as np
import pytest
from conftest import BACKENDS, backend, random_rbm, random_rows

from ebmbench.errors import UserError
from ebmbench.models.enumerate import distribution, states
from ebmbench.models.rbm import RBM, free_energy
from ebmbench.randomness import Key, random_bits

JOBS = ("pseudolikelihood", "ratio_matching")


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def objective(job, model, v, bits=None):
    """From the definitions: p(v_i | rest) and the squared ratios, one flipped row at a time."""
    total = 0.0
    for r, row in enumerate(v):
        chosen = range(len(row)) if bits is None else [bits[r]] * len(row)
        for i in chosen:
            other = row.copy()
            other[i] = 1.0 - other[i]
            d = free_energy(model, other[None])[0] - free_energy(model, row[None])[0]
            total += np.log(sigmoid(d)) if job == "pseudolikelihood" else -(sigmoid(-d) ** 2)
    return total / len(v)


def difference_quotients(job, model, v, bits, step=1e-5):
    out = {}
    for name in ("W", "b", "c"):
        value = getattr(model, name)
        out[name] = np.empty_like(value)
        for at in np.ndindex(value.shape):
            ends = []
            for sign in (1, -1):
                moved = {n: getattr(model, n).copy() for n in ("W", "b", "c")}
                moved[name][at] += sign * step
                ends.append(objective(job, RBM(**moved), v, bits))
            out[name][at] = (ends[0] - ends[1]) / (2 * step)
    return out


def run(name, job, model, v, bits=None):
    k = backend(name)
    handle = k.put(model)
    (gradient, _), value = getattr(k, job)(handle, k.put_rows(v), bits)
    return k.get_tree(handle, gradient), value


@pytest.mark.parametrize("size", [(1, 3, 2), (5, 1, 1), (7, 6, 3)], ids=str)
@pytest.mark.parametrize("one_bit", [False, True])
@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("name", BACKENDS)
def test_gradient_is_that_of_the_definition(name, job, one_bit, size):
    """Central differences of step 1e-5 are exact to 1e-9 here; float32 adds a few 1e-7 a unit."""
    n_visible, n_hidden, rows = size
    model, v = random_rbm(n_visible, n_hidden), random_rows(rows, n_visible).astype(float)
    bits = random_bits(Key(1, 0), rows, n_visible) if one_bit else None
    gradient, value = run(name, job, model, v, bits)
    tolerance = 1e-6 if name == "reference" else 2e-6 * n_visible
    assert value == pytest.approx(objective(job, model, v, bits), abs=tolerance)
    wanted = difference_quotients(job, model, v, bits)
    for part in ("W", "b", "c"):
        np.testing.assert_allclose(gradient[part], wanted[part], rtol=0, atol=tolerance)


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("name", BACKENDS)
def test_the_expected_gradient_vanishes_at_the_truth(name, job):
    """Both principles are consistent: with data from p itself the gradient is zero (by enumeration)."""
    model = random_rbm(5, 4)
    p = distribution(model)
    each = [run(name, job, model, v[None])[0] for v in states(5)]
    for part in ("W", "b", "c"):
        mean = sum(weight * gradient[part] for weight, gradient in zip(p, each, strict=True))
        size = sum(weight * abs(gradient[part]) for weight, gradient in zip(p, each, strict=True))
        assert np.abs(mean).max() < 2e-6
        assert size.max() > 1e-2  # it is not zero row by row


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("name", BACKENDS)
def test_the_one_bit_form_averages_to_all_bits(name, job):
    model, v = random_rbm(6, 5), random_rows(4, 6)
    whole, value = run(name, job, model, v)
    parts = [run(name, job, model, v, np.full(4, i)) for i in range(6)]
    assert np.mean([part[1] for part in parts]) == pytest.approx(value, abs=1e-5)
    for name_ in ("W", "b", "c"):
        mean = np.mean([part[0][name_] for part in parts], axis=0)
        np.testing.assert_allclose(mean, whole[name_], rtol=0, atol=1e-5)


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("name", BACKENDS)
def test_weights_of_any_size_neither_overflow_nor_cancel(name, job):
    """Products of hundreds of factors e**+-9 would leave float32, and 1 - sigmoid cancels at x = 25."""
    model = random_rbm(40, 150, scale=9.0)
    model = RBM(model.W, model.b, np.where(np.arange(150) % 2, 25.0, -25.0))
    v = random_rows(3, 40)
    wanted, expected = run("reference", job, model, v)
    gradient, value = run(name, job, model, v)
    assert value == pytest.approx(expected, rel=1e-4)
    for part in ("W", "b", "c"):
        np.testing.assert_allclose(gradient[part], wanted[part], rtol=0, atol=1e-4)


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("name", BACKENDS)
def test_rows_that_are_not_binary_are_refused(name, job):
    k = backend(name)
    model = k.put(random_rbm(4, 3))
    with pytest.raises(UserError, match="0 and 1") as error:
        getattr(k, job)(model, k.put_rows(np.full((2, 4), 0.5)))
    assert "\n" not in str(error.value)


def test_random_bits_are_uniform():
    """Chi-square of 60,000 draws over 7 units: 6 degrees of freedom, beyond 27.9 once in 10,000."""
    bits = random_bits(Key(3, 0), 60_000, 7)
    counts = np.bincount(bits, minlength=7)
    assert len(counts) == 7
    assert ((counts - 60_000 / 7) ** 2 / (60_000 / 7)).sum() < 27.9
    assert (random_bits(Key(3, 0), 60_000, 7) == bits).all()
    assert (random_bits(Key(3, 0, 1), 60_000, 7) != bits).any()
