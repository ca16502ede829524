"""Noise-contrastive estimation against the definition of its objective and its fixed point."""

import numpy as np
import pytest
from conftest import all_states, complaint, device, host, mean_log_likelihood, random_rbm, random_rows

from ebmbench import estimators
from ebmbench.models.enumerate import distribution, log_z
from ebmbench.models.rbm import RBM
from ebmbench.models.storage import save_model
from ebmbench.randomness import Key

KEY = Key(9, 0)
NAMES = ("W", "b", "c")


def log_unnormalised(model, v):
    """log sum_h e**-E(v, h) row by row from the definition."""
    h = all_states(model.n_hidden)
    return np.array(
        [np.log(np.exp(row @ model.b + h @ model.c + (row @ model.W) @ h.T).sum()) for row in v]
    )


def objective(model, data, noise, offsets):
    """Mean log probability of the right answer, summed over the noise of a row of data."""
    g = [log_unnormalised(model, v) - offset for v, offset in zip((data, noise), offsets, strict=True)]
    right = -np.log1p(np.exp(-g[0])).sum() - np.log1p(np.exp(g[1])).sum()
    return right / len(data)


def run(k, model, data, noise, offsets):
    found = k.nce(k.put(model), k.put_rows(data), k.put_rows(noise), *offsets)
    return found, host(k, found.gradient, model)


@pytest.mark.parametrize("size", [(1, 3, 2, 5), (5, 1, 1, 3), (7, 6, 4, 1)], ids=str)
def test_gradient_is_that_of_the_definition(k, size):
    """Central differences of step 1e-5 are exact to 1e-9 here; float32 adds a few 1e-7."""
    n_visible, n_hidden, rows, noisy = size
    model = random_rbm(n_visible, n_hidden)
    data, noise = random_rows(rows, n_visible, 1), random_rows(noisy, n_visible, 2)
    offsets = [np.linspace(-1.0, 2.0, rows) + 1, np.linspace(0.0, 3.0, noisy)]
    found, gradient = run(k, model, data, noise, offsets)
    tolerance = 1e-6 if k.name == "reference" else 3e-6
    assert found.value == pytest.approx(objective(model, data, noise, offsets), abs=tolerance)
    step = 1e-5
    for name in NAMES:
        value = getattr(model, name)
        for at in np.ndindex(value.shape):
            ends = []
            for sign in (1, -1):
                moved = {n: getattr(model, n).copy() for n in NAMES}
                moved[name][at] += sign * step
                ends.append(objective(RBM(**moved), data, noise, offsets))
            assert gradient[name][at] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=tolerance)
    up, here, down = (objective(model, data, noise, [o + s for o in offsets]) for s in (1e-4, 0, -1e-4))
    assert found.log_z == pytest.approx((up - down) / 2e-4, abs=tolerance)
    assert found.curvature == pytest.approx(-(up - 2 * here + down) / 1e-8, abs=1e-5)


def test_the_expected_gradient_vanishes_at_the_truth(k):
    """With data from p, noise from q and log Z as it is, by enumeration (Gutmann & Hyvärinen 2010)."""
    model, noise_model = random_rbm(5, 4), random_rbm(5, 2, seed=8)
    states = all_states(5).astype(np.uint8)
    p, q = distribution(model), distribution(noise_model)
    offset, ratio = log_z(model) + np.log(q) + np.log(3.0), 3.0
    total = {name: np.zeros_like(getattr(model, name)) for name in NAMES}
    size = 0.0
    nothing = [np.full(1, 80.0), np.full(1, 80.0)]  # a row of noise whose weight e**-80 is nothing
    far = states[:1]
    for i, state in enumerate(states):
        _, of_data = run(k, model, state[None], far, [offset[i : i + 1], nothing[1]])
        # The same row as noise: its own gradient, with a row of data that has no weight.
        _, of_noise = run(k, model, far, state[None], [np.full(1, -80.0), offset[i : i + 1]])
        for name in NAMES:
            total[name] += p[i] * of_data[name] + ratio * q[i] * of_noise[name]
            size = max(size, np.abs(of_data[name]).max())
    assert size > 0.1
    for name in NAMES:
        assert np.abs(total[name]).max() < 3e-6


def test_saturated_classifiers_stay_finite(k):
    """Log odds of +-900 neither overflow nor lose the weight of what is wrong."""
    model, v = random_rbm(6, 3), random_rows(4, 6)
    offsets = [np.array([900.0, -900.0, 0.0, 0.0])] * 2
    found, gradient = run(k, model, v, v, offsets)
    assert np.isfinite(found.value)
    assert all(np.isfinite(gradient[name]).all() for name in NAMES)
    assert found.value == pytest.approx(-1800 / 4, rel=0.02)


def learned(k, config, steps=600):
    """Learned log Z after training log Z alone on rows drawn from the model, and the exact one."""
    model = random_rbm(5, 4, seed=3, scale=0.7)
    rng = np.random.default_rng(1)
    rows = all_states(5)[rng.choice(32, 2000, p=distribution(model))].astype(np.uint8)
    module, built = estimators.find("nce", config)
    bias = np.log(rows.mean(axis=0)) - np.log1p(-rows.mean(axis=0))
    state = module.init(k, model, built, KEY, bias)
    handle, batch = k.put(model), k.put_rows(rows)
    found = []
    for step in range(steps):
        _, state, info = module.step(k, handle, built, state, batch, KEY.advance(step))
        found.append(info["learned_log_z"])
    return np.mean(found[-100:]), log_z(model)


def test_log_z_is_learned(computed):
    """From 2,000 rows and 10 times the noise: the standard error of log Z is about 0.02 nats."""
    found, truth = learned(computed, {"ratio": 10}, 150)
    assert found == pytest.approx(truth, abs=0.06)


def test_a_given_model_serves_as_noise(computed, tmp_path):
    path = tmp_path / "noise.npz"
    save_model(path, random_rbm(5, 3, seed=12, scale=0.5), {})
    found, truth = learned(computed, {"ratio": 10, "noise": str(path)}, 150)
    assert found == pytest.approx(truth, abs=0.06)


def test_training_gains(computed):
    """Ascent on the objective alone raises the likelihood of three repeated rows."""
    rows = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0]], np.uint8)
    model = random_rbm(4, 3, scale=0.1, bias=0.0)
    module, config = estimators.find("nce", {})
    state = module.init(computed, model, config, KEY, np.zeros(4))
    handle, batch = computed.put(model), computed.put_rows(np.tile(rows, (30, 1)))
    velocity = device(computed, {}, model)
    for step in range(400):
        gradient, state, _ = module.step(computed, handle, config, state, batch, KEY.advance(step))
        computed.update(handle, velocity, gradient, 0.2, 0.5, 0.0)
    after = computed.get(handle)
    before = mean_log_likelihood(model.W, model.b, model.c, rows)
    assert mean_log_likelihood(after.W, after.b, after.c, rows) > before + 1.0
    assert state.log_z == pytest.approx(log_z(after), abs=0.2)


def test_noise_far_from_the_data_is_refused(k):
    """Base rates of e**-100 a unit: nothing tells the data from that noise but the first look."""
    module, config = estimators.find("nce", {})
    model = random_rbm(4, 3)
    state = module.init(k, model, config, KEY, np.full(4, -100.0))
    ones = k.put_rows(np.ones((3, 4), np.uint8))
    words = complaint(module.step, k, k.put(model), config, state, ones, KEY)
    assert "practically no probability" in words


def test_bad_input_is_named(k, tmp_path):
    model = k.put(random_rbm(4, 3))
    v, one = k.put_rows(random_rows(2, 4)), np.zeros(2)
    grey = k.put_rows(np.full((2, 4), 0.5))
    assert "0 and 1" in complaint(k.nce, model, grey, v, one, one)
    assert "offset" in complaint(k.nce, model, v, v, one[:1], one)
    assert "no finite log probability" in complaint(k.nce, model, v, v, one - np.inf, one)
    module, config = estimators.find("nce", {})
    infinite = np.array([0.0, -np.inf, 0.0, 0.0])
    assert "zero probability" in complaint(module.init, k, random_rbm(4, 3), config, KEY, infinite)
    save_model(tmp_path / "other.npz", random_rbm(5, 3), {})
    _, config = estimators.find("nce", {"noise": str(tmp_path / "other.npz")})
    assert "5 visible units" in complaint(module.init, k, random_rbm(4, 3), config, KEY, np.zeros(4))
    assert "none.npz" in complaint(estimators.find, "nce", {"noise": str(tmp_path / "none.npz")})
    for settings in ({"ratio": 0}, {"log_z_rate": 0.0}, {"log_z_rate": 2.0}):
        assert next(iter(settings)) in complaint(estimators.find, "nce", settings)
