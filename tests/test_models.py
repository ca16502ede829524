"""The restricted Boltzmann machine's formulas against sums over its states."""

import numpy as np
import pytest
from conftest import all_states, complaint, joint_energies, joint_law, random_rbm
from scipy.special import logsumexp

from ebmbench.models.arithmetic import rounded, to_bfloat16
from ebmbench.models.rbm import (
    GRID_STEP,
    RBM,
    energy,
    free_energy,
    hidden_input,
    hidden_probability,
    on_grid,
    softplus,
    visible_input,
    visible_probability,
)

# Float64 sums of some tens of terms of size about 10: errors below 100 * 10 * 2**-53 < 2e-13.
EXACT = {"rtol": 0.0, "atol": 1e-12}


def energy_by_loops(model, v, h):
    total = 0.0
    for i in range(model.n_visible):
        total -= model.b[i] * v[i]
        for j in range(model.n_hidden):
            total -= v[i] * model.W[i, j] * h[j]
    for j in range(model.n_hidden):
        total -= model.c[j] * h[j]
    return total


@pytest.fixture(params=[(5, 4), (1, 3), (3, 1)], ids=str)
def model(request):
    return random_rbm(*request.param, seed=1, scale=2.0)


def test_energy_is_the_definition(model):
    v, h = all_states(model.n_visible), all_states(model.n_hidden)
    pairs = [(a, b) for a in v for b in h]
    found = energy(model, *(np.array(layer) for layer in zip(*pairs, strict=True)))
    np.testing.assert_allclose(found, [energy_by_loops(model, *pair) for pair in pairs], **EXACT)


def test_the_oracle_of_the_tests_is_the_definition(model):
    table = joint_energies(model.W, model.b, model.c)
    v, h = all_states(model.n_visible), all_states(model.n_hidden)
    wanted = [[energy_by_loops(model, a, b) for b in h] for a in v]
    np.testing.assert_allclose(table, wanted, **EXACT)


def test_free_energy_sums_the_hidden_units_out(model):
    table = joint_energies(model.W, model.b, model.c)
    wanted = -logsumexp(-table, axis=1)
    np.testing.assert_allclose(free_energy(model, all_states(model.n_visible)), wanted, **EXACT)


def test_binary_rows_may_be_integers(model):
    """Minus an unsigned 1 is 255."""
    v, h = all_states(model.n_visible)[-2:], all_states(model.n_hidden)[-2:]
    few, some = v.astype(np.uint8), h.astype(np.uint8)
    np.testing.assert_allclose(energy(model, few, some), energy(model, v, h), **EXACT)
    np.testing.assert_allclose(free_energy(model, few), free_energy(model, v), **EXACT)
    np.testing.assert_allclose(hidden_input(model, few), hidden_input(model, v), **EXACT)


def test_inputs_are_bias_and_weights():
    model = RBM([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]], [64.0, 128.0], [0.25, 0.5, 0.125])
    assert hidden_input(model, np.array([[0.0, 1.0]])).tolist() == [[8.25, 16.5, 32.125]]
    assert visible_input(model, np.array([[1.0, 0.0, 1.0]])).tolist() == [[69.0, 168.0]]


@pytest.mark.parametrize("beta", [1.0, 0.3, 0.0])
def test_conditionals_are_those_of_the_joint_law(model, beta):
    joint = joint_law(model, beta)
    v, h = all_states(model.n_visible), all_states(model.n_hidden)
    h_given_v = (joint / joint.sum(axis=1, keepdims=True)) @ h
    v_given_h = (joint / joint.sum(axis=0, keepdims=True)).T @ v
    np.testing.assert_allclose(hidden_probability(model, v, beta), h_given_v, **EXACT)
    np.testing.assert_allclose(visible_probability(model, h, beta), v_given_h, **EXACT)


def test_transposed_exchanges_the_layers(model):
    other = model.transposed
    v, h = all_states(model.n_visible)[-1:], all_states(model.n_hidden)[-1:]
    assert energy(other, h, v) == pytest.approx(energy(model, v, h))
    assert (hidden_input(other, h) == visible_input(model, h)).all()


def test_softplus_neither_overflows_nor_loses_its_tail():
    assert softplus(np.array([-800.0, -40.0, 0.0, 800.0])).tolist() == [
        0.0,
        pytest.approx(np.exp(-40.0), rel=1e-12),
        pytest.approx(np.log(2.0)),
        800.0,
    ]


# --- grid arithmetic ----------------------------------------------------------------------------


def test_grid_rounds_to_the_nearest_multiple():
    model = random_rbm(20, 30, seed=2)
    rounded = on_grid(model)
    for name in ("W", "b", "c"):
        x, y = getattr(model, name), getattr(rounded, name)
        assert (y / GRID_STEP == np.rint(y / GRID_STEP)).all()
        assert np.abs(x - y).max() <= GRID_STEP / 2
        assert (x != y).any()
        assert (getattr(on_grid(rounded), name) == y).all()


def test_grid_sums_are_exact_in_float32_in_any_order():
    rng = np.random.default_rng(3)
    W = rng.uniform(-1.0, 1.0, (700, 1))
    W *= 255.9 / np.abs(W).sum()
    model = on_grid(RBM(W, np.zeros(700), np.zeros(1)))
    weights = model.W[:, 0]
    assert np.abs(weights).sum() > 255.8  # the bound is nearly reached
    for order in (np.argsort(weights), np.argsort(-weights), rng.permutation(700)):
        total = np.float32(0.0)
        for weight in weights[order].astype(np.float32):
            total += weight
        assert total == weights.sum()


@pytest.mark.parametrize("layer", ["visible", "hidden"])
def test_grid_refuses_what_might_need_more_than_24_bits(layer):
    W, b = np.full((3, 2), 64.0), np.array([128.0 - GRID_STEP, 0.0, 0.0])
    just_below = RBM(W, b, np.zeros(2))
    at_the_bound = RBM(W, b + np.array([GRID_STEP, 0.0, 0.0]), np.zeros(2))
    if layer == "hidden":
        just_below, at_the_bound = just_below.transposed, at_the_bound.transposed
    assert (on_grid(just_below).W == just_below.W).all()
    message = complaint(on_grid, at_the_bound)
    assert "256" in message
    assert "use float arithmetic" in message


# --- bfloat16 arithmetic ------------------------------------------------------------------------


def bfloat16_bits(values):
    """The nearest bfloat16 of float32 values by their bits, as the hardware's conversion rounds."""
    bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16).astype(np.uint32).view(np.float32)


def weights_of_every_size():
    """All significands of 10 bits, ties among them, and random ones from 1e-30 to 1e6."""
    rng = np.random.default_rng(8)
    dense = 1.0 + np.arange(1024) / 1024.0
    spread = rng.standard_normal(20_000) * 10.0 ** rng.uniform(-30.0, 6.0, 20_000)
    return np.concatenate([dense, -dense, spread, [0.0]]).astype(np.float32).astype(float)


@pytest.mark.parametrize(("terms", "bound"), [(1, 2.0**-8), (2, 2.0**-17)])
def test_bfloat16_terms_are_the_nearest_within_the_stated_error(terms, bound):
    values = weights_of_every_size()
    left, total = values.copy(), np.zeros_like(values)
    for _ in range(terms):
        term = bfloat16_bits(left).astype(float)
        left, total = left - term, total + term
    found = to_bfloat16(values, terms)
    assert (found == total).all()
    assert (found == found.astype(np.float32)).all()  # the sum of the terms is a float32
    errors = np.abs(found - values)
    assert (errors <= bound * np.abs(values)).all()
    assert (errors > 0.9 * bound * np.abs(values)).any()  # the bound is nearly reached
    assert (to_bfloat16(found, terms) == found).all()


@pytest.mark.parametrize("arithmetic", ["bfloat16", "bfloat16x2"])
def test_bfloat16_rounds_the_weights_and_leaves_the_biases(arithmetic):
    model = random_rbm(20, 30, seed=2)
    found = rounded(model, arithmetic)
    assert (to_bfloat16(model.W, 1 + arithmetic.endswith("x2")) == found.W).all()
    assert (found.W != model.W).any()
    assert (found.b == model.b).all()
    assert (found.c == model.c).all()


# --- bad input ----------------------------------------------------------------------------------

GOOD = {"W": np.ones((3, 2)), "b": np.ones(3), "c": np.ones(2)}
BAD = {
    "W must be": {"W": np.ones(3)},
    "W must be [n_visible, n_hidden] and not empty": {"W": np.ones((3, 0)), "c": np.ones(0)},
    "b must have shape (3,)": {"b": np.ones(2)},
    "c must have shape (2,)": {"c": np.ones((2, 1))},
    "W holds a value that is not finite": {"W": np.full((3, 2), np.nan)},
    "b holds a value that is not finite": {"b": [1.0, np.inf, 1.0]},
    "c holds a value that is not finite": {"c": [1.0, -np.inf]},
    "W must hold real numbers": {"W": [["one", "two"]] * 3},
    "b must hold real numbers": {"b": [1.0, 2.0, [3.0]]},
}


@pytest.mark.parametrize(("sentence", "wrong"), BAD.items(), ids=BAD)
def test_a_wrong_parameter_is_named_in_one_line(sentence, wrong):
    assert sentence in complaint(RBM, **(GOOD | wrong))


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_complex_parameters_are_refused():
    assert "W must hold real numbers" in complaint(RBM, **(GOOD | {"W": np.full((3, 2), 1.0 + 2.0j)}))


def test_parameters_become_contiguous_float64():
    model = RBM(np.ones((2, 3), np.float32).T, [1, 2, 3], (True, False))
    for value in (model.W, model.b, model.c):
        assert value.dtype == np.float64
        assert value.flags.c_contiguous
    assert (model.n_visible, model.n_hidden) == (3, 2)
