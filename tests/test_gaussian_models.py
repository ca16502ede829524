"""The Gaussian-Bernoulli RBM's formulas and its log Z against the definition and quadrature."""

import numpy as np
import pytest
from conftest import all_states, complaint, largest_z
from gaussian import energies, log_f, log_z, parameters, random_gaussian, real_rows, slope
from scipy import integrate

from ebmbench.errors import Unavailable
from ebmbench.models import gaussian_enumerate as exact
from ebmbench.models import gaussian_rbm as rbm
from ebmbench.models import score
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.storage import load_model, save_model
from ebmbench.randomness import Key, Stream

SMALL = [(1, 1), (1, 5), (2, 3)]


@pytest.fixture(params=[(5, 4), (1, 3), (3, 1)], ids=str)
def model(request):
    return random_gaussian(*request.param, seed=1)


def energy_by_loops(model, v, h):
    total = 0.0
    for i in range(model.n_visible):
        total += 0.5 * model.precision[i] * (v[i] - model.b[i]) ** 2
        for j in range(model.n_hidden):
            total -= v[i] * model.precision[i] * model.W[i, j] * h[j]
    for j in range(model.n_hidden):
        total -= model.c[j] * h[j]
    return total


def test_energy_is_the_definition(model):
    v, h = real_rows(3, model.n_visible), all_states(model.n_hidden)
    wanted = [[energy_by_loops(model, row, state) for state in h] for row in v]
    np.testing.assert_allclose(energies(parameters(model), v), wanted, rtol=0, atol=1e-11)
    found = [rbm.energy(model, v, np.tile(state, (3, 1))) for state in h]
    np.testing.assert_allclose(np.transpose(found), wanted, rtol=0, atol=1e-11)


def test_free_energy_sums_the_hidden_units_out(model):
    v = real_rows(4, model.n_visible)
    np.testing.assert_allclose(rbm.free_energy(model, v), -log_f(parameters(model), v), atol=1e-11)


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_conditionals_are_those_of_the_energy(model, beta):
    """h from the table of energies; v's mean and precision from the energy's slope and curvature."""
    p, v, h = parameters(model), real_rows(4, model.n_visible), all_states(model.n_hidden)
    weights = np.exp(-beta * (energies(p, v) - energies(p, v).min(axis=1, keepdims=True)))
    on = weights @ h / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(rbm.hidden_probability(model, v, beta), on, rtol=0, atol=1e-12)
    mean = rbm.visible_mean(model, h)
    for number, state in enumerate(h):
        for i in range(model.n_visible):
            moved = np.repeat(mean[number][None], 3, axis=0)
            moved[:, i] += [-1.0, 0.0, 1.0]
            e = [energy_by_loops(model, row, state) for row in moved]
            assert e[2] == pytest.approx(e[0], abs=1e-10)
            assert e[0] - e[1] == pytest.approx(model.precision[i] / 2.0, abs=1e-10)


def test_score_is_the_slope_of_the_log_density(model):
    v = real_rows(4, model.n_visible)
    np.testing.assert_allclose(score.score(model, v), slope(parameters(model), v), rtol=0, atol=1e-11)


# --- log Z --------------------------------------------------------------------------------------


def quadrature(model, function=lambda v: 1.0):
    """The integral over v, of one or two units, of function(v) sum_h e**-E, over the sum's maximum."""
    p = parameters(model)
    reach = 12.0 / np.sqrt(model.precision.min()) + np.abs(model.W).sum(axis=1).max()
    bounds = [(b - reach, b + reach) for b in model.b]
    shift = float(log_f(p, rbm.visible_mean(model, all_states(model.n_hidden))).max())

    def density(*v):
        row = np.array([v])
        return function(row[0]) * np.exp(log_f(p, row)[0] - shift)

    found = integrate.nquad(density, bounds, opts={"epsabs": 1e-11, "epsrel": 1e-11, "limit": 200})
    return found[0], shift


@pytest.mark.parametrize("size", SMALL, ids=str)
def test_log_z_is_the_integral(k, size):
    """scipy's adaptive quadrature is asked for 1e-11."""
    model = random_gaussian(*size, seed=3)
    value, shift = quadrature(model)
    assert k.log_z(model) == pytest.approx(np.log(value) + shift, abs=1e-9)
    assert log_z(parameters(model)) == pytest.approx(np.log(value) + shift, abs=1e-9)


@pytest.mark.parametrize("size", [(7, 3), (3, 7), (2, 9), (40, 12)], ids=str)
def test_log_z_of_larger_models(k, size):
    model = random_gaussian(*size, seed=4, scale=0.5)
    assert k.log_z(model) == pytest.approx(log_z(parameters(model)), rel=1e-11)


def test_log_z_neither_overflows_nor_underflows(k):
    model = GaussianRBM(np.full((3, 4), 20.0), np.full(3, -30.0), np.full(4, 100.0), np.full(3, 50.0))
    assert k.log_z(model) == pytest.approx(log_z(parameters(model)), rel=1e-11)


def test_moments_are_integrals():
    model = random_gaussian(1, 3, seed=5)
    z, shift = quadrature(model)
    total, m = exact.moments(model)
    assert total == pytest.approx(np.log(z) + shift, abs=1e-9)
    on = [lambda v, j=j: rbm.hidden_probability(model, v[None])[0, j] for j in range(3)]
    wanted = {
        "v": [quadrature(model, lambda v: v[0])[0]],
        "vv": [quadrature(model, lambda v: v[0] ** 2)[0]],
        "h": [quadrature(model, f)[0] for f in on],
        "vh": [[quadrature(model, lambda v, f=f: v[0] * f(v))[0] for f in on]],
    }
    for name, value in wanted.items():
        np.testing.assert_allclose(getattr(m, name), np.array(value) / z, rtol=0, atol=1e-8)


def test_exact_draws_have_the_exact_moments():
    """Mean and products of 40,000 draws: false alarm 1e-3."""
    model = random_gaussian(3, 2, seed=6)
    v, h = exact.joint_draws(model, 40_000, Key(7, Stream.EXACT))
    assert (exact.draws(model, 40_000, Key(7, Stream.EXACT)) == v).all()
    m = exact.moments(model)[1]
    products = (v[:, :, None] * h[:, None, :]).reshape(len(v), -1)
    z, allowed = largest_z(
        np.hstack([v, v**2, h, products]), np.concatenate([m.v, m.vv, m.h, m.vh.ravel()])
    )
    assert z < allowed


def test_too_many_hidden_units_are_refused_but_any_number_of_visible_ones(k):
    too_many = GaussianRBM(np.zeros((3, 26)), np.zeros(3), np.zeros(26), np.ones(3))
    assert "2**26" in complaint(k.log_z, too_many)
    rows = k.put_rows(np.zeros((2, 3)))
    assert "2**26" in complaint(k.exact_gradient, k.put(too_many), rows)
    wide = GaussianRBM(np.zeros((300, 2)), np.zeros(300), np.zeros(2), np.ones(300))
    assert k.log_z(wide) == pytest.approx(150.0 * np.log(2.0 * np.pi) + 2.0 * np.log(2.0))


# --- bad input and files ------------------------------------------------------------------------

GOOD = {"W": np.ones((3, 2)), "b": np.ones(3), "c": np.ones(2), "precision": np.ones(3)}
BAD = {
    "precision must be greater than 0, but holds 0": {"precision": [1.0, 0.0, 1.0]},
    "precision must be greater than 0, but holds -2": {"precision": [1.0, 1.0, -2.0]},
    "precision holds a value that is not finite": {"precision": [1.0, np.nan, 1.0]},
    "precision must have shape (3,)": {"precision": np.ones(2)},
    "precision must hold real numbers": {"precision": ["a", "b", "c"]},
    "c must have shape (2,)": {"c": np.ones(3)},
}


@pytest.mark.parametrize(("sentence", "wrong"), BAD.items(), ids=BAD)
def test_a_wrong_parameter_is_named_in_one_line(sentence, wrong):
    assert sentence in complaint(GaussianRBM, **(GOOD | wrong))


def test_a_file_keeps_the_model(tmp_path):
    model = random_gaussian(4, 3)
    save_model(tmp_path / "m.npz", model, {})
    back = load_model(tmp_path / "m.npz")
    assert isinstance(back, GaussianRBM)
    for name in model.names:
        assert (getattr(back, name) == getattr(model, name)).all()


def test_a_file_with_a_wrong_precision_is_named(tmp_path):
    np.savez(tmp_path / "m.npz", **(GOOD | {"precision": [1.0, -1.0, 1.0]}))
    message = complaint(load_model, tmp_path / "m.npz")
    assert "m.npz" in message
    assert "precision must be greater than 0" in message


def test_what_does_not_apply_says_so(k):
    model = random_gaussian(3, 2)
    handle, rows = k.put(model), k.put_rows(np.zeros((2, 3)))
    assert "gaussian_rbm" in complaint(k.put, model, "grid")
    with pytest.raises(Unavailable, match="pseudolikelihood for gaussian_rbm"):
        k.pseudolikelihood(handle, rows)
    tree = k.zeros(handle)
    assert "centre" in complaint(k.centre, handle, tree, tree, tree, 0.1)
