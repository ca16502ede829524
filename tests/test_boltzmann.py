"""The Boltzmann machine whose units are all visible: its definition, its gradients, its sampler."""

import tracemalloc

import numpy as np
import pytest
from conftest import FAMILY_ALPHA, all_states, complaint, largest_z, numbers_of, random_rows
from scipy.linalg import block_diag
from scipy.special import logsumexp
from test_gibbs import g_test

from ebmbench import estimators
from ebmbench.kernels.api import load
from ebmbench.models import boltzmann
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.randomness import Key, Stream, random_bits
from ebmbench.training.fit import Diverged, Fit
from ebmbench.training.sgd import SGD

K = load("reference")
EXACT = {"rtol": 0.0, "atol": 1e-12}
DIFFERENCES = {"rtol": 0.0, "atol": 1e-6}
FLIPS = ("pseudolikelihood", "ratio_matching")


def random_machine(n, seed=0, scale=1.0):
    """Normal weights and biases of this standard deviation."""
    rng = np.random.default_rng([seed, n])
    return BoltzmannMachine(np.triu(rng.normal(0.0, scale, (n, n)), 1), rng.normal(0.0, scale, n))


MODEL = random_machine(5, seed=4)
ROWS = random_rows(7, 5, seed=1)


def energy_by_loops(R, b, v):
    total = 0.0
    for i in range(len(v)):
        total -= b[i] * v[i]
        for j in range(i):
            total -= R[j, i] * v[j] * v[i]
    return total


def energies(R, b):
    return np.array([energy_by_loops(R, b, v) for v in all_states(len(b))])


def law(R, b):
    """p(v) of all states from the definition."""
    negative = -energies(R, b)
    return np.exp(negative - logsumexp(negative))


def flat(tree):
    """R above its diagonal and b as one vector."""
    return np.concatenate([tree["R"][np.triu_indices(len(tree["b"]), 1)], tree["b"]])


def run(job, model, v, *more):
    """A job's gradient on the host and its value; what is not above R's diagonal must be zero."""
    handle = K.put(model)
    (gradient, _), value = getattr(K, job)(handle, K.put_rows(v), *more)
    tree = K.get_tree(handle, gradient)
    assert sorted(tree) == ["R", "b"]
    assert not np.tril(tree["R"]).any()
    return flat(tree), value


def difference_quotients(objective, model, step=1e-5):
    """Central differences, exact to about 1e-9 here, in the order of `flat`."""
    out = []
    for name, places in (("R", zip(*np.triu_indices(model.n_visible, 1), strict=True)), ("b", None)):
        for at in np.ndindex(model.n_visible) if places is None else places:
            ends = []
            for sign in (1, -1):
                moved = {"R": model.R.copy(), "b": model.b.copy()}
                moved[name][at] += sign * step
                ends.append(objective(**moved))
            out.append((ends[0] - ends[1]) / (2 * step))
    return np.array(out)


def flip_objective(job, v, bits=None):
    """From the definitions: p(v_i | rest) and the squared ratios, one flipped row at a time."""

    def objective(R, b):
        p, numbers, total = law(R, b), numbers_of(v), 0.0
        for r, number in enumerate(numbers):
            chosen = range(v.shape[1]) if bits is None else [bits[r]] * v.shape[1]
            for i in chosen:
                stays = p[number] / (p[number] + p[number ^ 1 << i])
                total += np.log(stays) if job == "pseudolikelihood" else -((1.0 - stays) ** 2)
        return total / len(v)

    return objective


# --- the model ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_energy_log_z_law_and_moments_are_the_definition(n):
    model, v = random_machine(n, seed=1, scale=2.0), all_states(n)
    wanted, p = energies(model.R, model.b), law(model.R, model.b)
    np.testing.assert_allclose(boltzmann.energy(model, v), wanted, **EXACT)
    np.testing.assert_allclose(boltzmann.distribution(model), p, **EXACT)
    total, (vv, mean) = boltzmann.moments(model)
    assert total == pytest.approx(logsumexp(-wanted), abs=1e-12)
    assert K.log_z(model) == total
    np.testing.assert_allclose(mean, p @ v, **EXACT)
    pairs = [[p @ (v[:, i] * v[:, j]) if i < j else 0.0 for j in range(n)] for i in range(n)]
    np.testing.assert_allclose(vv, pairs, **EXACT)
    np.testing.assert_allclose(K.free_energy(K.put(model), K.put_rows(v)), wanted, **EXACT)


def test_conditionals_and_differences_are_those_of_the_law():
    p, numbers = law(MODEL.R, MODEL.b), np.arange(32)
    pairs = [(p[numbers | 1 << i], p[numbers & ~(1 << i)]) for i in range(5)]
    on = np.stack([one / (one + zero) for one, zero in pairs])
    found = boltzmann.unit_probability(MODEL, all_states(5))
    np.testing.assert_allclose(found, on.T, **EXACT)
    ratios = np.stack([np.log(p[numbers] / p[numbers ^ 1 << i]) for i in range(5)])
    np.testing.assert_allclose(boltzmann.differences(MODEL, all_states(5)), ratios.T, **EXACT)


def test_twenty_units_by_an_independent_route_in_bounded_memory():
    """Four independent blocks of 5 units: log Z and the means are theirs, each by the definition.

    A table of all 2**20 states would take 160 MB.
    """
    parts = [random_machine(5, seed=seed) for seed in range(4)]
    b = np.concatenate([part.b for part in parts])
    model = BoltzmannMachine(block_diag(*(part.R for part in parts)), b)
    tracemalloc.start()
    total, (_, mean) = boltzmann.moments(model)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    wanted = sum(logsumexp(-energies(part.R, part.b)) for part in parts)
    assert total == pytest.approx(wanted, abs=1e-9)
    means = np.concatenate([law(part.R, part.b) @ all_states(5) for part in parts])
    np.testing.assert_allclose(mean, means, rtol=0, atol=1e-9)
    assert peak < 20e6


def test_large_energies_neither_overflow_nor_underflow():
    for sign in (-1.0, 1.0):
        model = BoltzmannMachine(np.triu(np.full((6, 6), sign * 100.0), 1), np.full(6, sign * 300.0))
        wanted = logsumexp(-energies(model.R, model.b))
        assert K.log_z(model) == pytest.approx(wanted, rel=1e-12, abs=1e-12)


# --- gradients ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 3, 6])
def test_exact_is_the_gradient_of_the_log_likelihood(n):
    model, v = random_machine(n, seed=5, scale=1.5), random_rows(7, n, seed=1)
    gradient, log_z = run("exact_gradient", model, v)

    def likelihood(R, b):
        return np.log(law(R, b))[numbers_of(v)].mean()

    np.testing.assert_allclose(gradient, difference_quotients(likelihood, model), **DIFFERENCES)
    assert log_z == pytest.approx(logsumexp(-energies(model.R, model.b)), abs=1e-12)


@pytest.mark.parametrize("n", [1, 3, 6])
@pytest.mark.parametrize("one_bit", [False, True])
@pytest.mark.parametrize("job", FLIPS)
def test_gradient_of_flips_is_that_of_the_definition(job, one_bit, n):
    model, v = random_machine(n, seed=6), random_rows(5, n)
    bits = random_bits(Key(1, 0), 5, n) if one_bit else None
    gradient, value = run(job, model, v, bits)
    objective = flip_objective(job, v, bits)
    assert value == pytest.approx(objective(model.R, model.b), abs=1e-10)
    np.testing.assert_allclose(gradient, difference_quotients(objective, model), **DIFFERENCES)


@pytest.mark.parametrize("job", ["exact_gradient", *FLIPS])
def test_the_expected_gradient_vanishes_at_the_truth(job):
    p = law(MODEL.R, MODEL.b)
    each = np.array([run(job, MODEL, v[None])[0] for v in all_states(5)])
    np.testing.assert_allclose(p @ each, 0.0, rtol=0, atol=1e-12)
    assert (p @ np.abs(each)).max() > 1e-2  # it is not zero row by row


def contrast(model, data, noise, offsets):
    """NCE's objective: mean log probability of the right answer, summed over a row's noise."""
    found = K.nce(K.put(model), K.put_rows(data), K.put_rows(noise), *offsets)
    return found, flat(K.get_tree(K.put(model), found.gradient))


@pytest.mark.parametrize(("n", "rows", "noisy"), [(1, 2, 5), (5, 1, 3), (6, 4, 1)])
def test_nce_is_the_gradient_of_its_definition(n, rows, noisy):
    model, data, noise = random_machine(n, seed=7), random_rows(rows, n, 1), random_rows(noisy, n, 2)
    offsets = [np.linspace(-1.0, 2.0, rows) + 1, np.linspace(0.0, 3.0, noisy)]

    def objective(R, b, shift=0.0):
        g = [
            -energies(R, b)[numbers_of(v)] - o - shift
            for v, o in zip((data, noise), offsets, strict=True)
        ]
        return (-np.log1p(np.exp(-g[0])).sum() - np.log1p(np.exp(g[1])).sum()) / rows

    found, gradient = contrast(model, data, noise, offsets)
    assert found.value == pytest.approx(objective(model.R, model.b), abs=1e-12)
    np.testing.assert_allclose(gradient, difference_quotients(objective, model), **DIFFERENCES)
    up, here, down = (objective(model.R, model.b, shift) for shift in (1e-4, 0.0, -1e-4))
    assert found.log_z == pytest.approx((up - down) / 2e-4, abs=1e-6)
    assert found.curvature == pytest.approx(-(up - 2 * here + down) / 1e-8, abs=1e-5)
    assert not np.tril(found.gradient["R"]).any()


def test_the_expected_gradient_of_nce_vanishes_at_the_truth():
    """Rows in proportion to p as data and to q as noise, three for a row of data, by enumeration."""
    p, q, v = law(MODEL.R, MODEL.b), np.full(32, 1 / 32), all_states(5)
    offset = boltzmann.log_z(MODEL) + np.log(3.0 * q)
    far = np.full(1, 80.0)  # a row of noise whose weight e**-80 is nothing
    total, size = np.zeros(15), 0.0
    for i in range(32):
        _, of_data = contrast(MODEL, v[i : i + 1], v[:1], [offset[i : i + 1], far])
        _, of_noise = contrast(MODEL, v[:1], v[i : i + 1], [-far, offset[i : i + 1]])
        total = total + p[i] * of_data + 3.0 * q[i] * of_noise
        size = max(size, np.abs(of_data).max())
    assert size > 0.1
    np.testing.assert_allclose(total, 0.0, rtol=0, atol=1e-12)


def test_moments_are_the_contrast_of_pairs_and_units():
    handle, v, w = K.put(MODEL), random_rows(4, 5), random_rows(9, 5, seed=3)
    gradient, means = K.moments(handle, K.put_rows(v), K.put_rows(w))
    wanted = [np.triu(x.T.astype(float) @ x / len(x), 1) for x in (v, w)]
    np.testing.assert_allclose(gradient["R"], wanted[0] - wanted[1], **EXACT)
    np.testing.assert_allclose(gradient["b"], v.mean(axis=0) - w.mean(axis=0), **EXACT)
    np.testing.assert_allclose(means["b"], (v.mean(axis=0) + w.mean(axis=0)) / 2, **EXACT)


# --- sampling -----------------------------------------------------------------------------------


def sweep_matrix(model, beta=1.0):
    """T[v, v'] of one sweep over the units in their order, from conditionals of the definition."""
    p, numbers = law(beta * model.R, beta * model.b), np.arange(2**model.n_visible)
    out = np.eye(len(p))
    for i in range(model.n_visible):
        on, off = numbers | 1 << i, numbers & ~(1 << i)
        one = np.zeros_like(out)
        one[numbers, on] = p[on] / (p[on] + p[off])
        one[numbers, off] = p[off] / (p[on] + p[off])
        out = out @ one
    return out


@pytest.mark.parametrize(("sweeps", "beta"), [(1, 1.0), (2, 1.0), (1, 0.5)])
def test_a_sweep_follows_its_transition_matrix(sweeps, beta):
    """G-tests from five states, Bonferroni corrected, and each step of a sweep in the units' order."""
    wanted = np.linalg.matrix_power(sweep_matrix(MODEL, beta), sweeps)
    p = []
    for number in (0, 31, 5, 18, 27):
        rows = K.put_rows(np.tile(all_states(5)[number], (4000, 1)))
        v, h = K.gibbs(K.put(MODEL), rows, sweeps, Key(17, Stream.CHAINS, sweeps, 4000 * number), beta)
        assert h.shape == (4000, 0)
        assert (K.get_rows(rows) == all_states(5)[number]).all()
        p.append(g_test(np.bincount(numbers_of(v), minlength=32), wanted[number]))
    assert 5 * min(p) > FAMILY_ALPHA


@pytest.mark.parametrize("sweeps", [1, 5])
def test_the_stationary_law_stays(sweeps):
    """As of the restricted machine: compared with the total variation of 2,000 exact draws."""
    rng, p, chains = np.random.default_rng(18), law(MODEL.R, MODEL.b), 100_000
    rows = K.put_rows(all_states(5)[rng.choice(32, chains, p=p)])
    v, _ = K.gibbs(K.put(MODEL), rows, sweeps, Key(19, Stream.CHAINS, step=sweeps))
    counts = np.bincount(numbers_of(v), minlength=32)
    floor = np.abs(rng.multinomial(chains, p, 2000) / chains - p).sum(axis=1) / 2
    assert np.mean(floor >= np.abs(counts / chains - p).sum() / 2) > FAMILY_ALPHA


def test_chains_continue_and_do_not_depend_on_how_they_are_split():
    handle, rows, key = K.put(MODEL), K.put_rows(random_rows(8, 5)), Key(3, Stream.CHAINS, 5, 2)
    whole, _ = K.gibbs(handle, rows, 3, key)
    first, _ = K.gibbs(handle, rows, 2, key)
    second, _ = K.gibbs(handle, first, 1, key.advance(2))
    assert (second == whole).all()
    part, _ = K.gibbs(handle, rows[3:], 3, key._replace(chain=5))
    assert (part == whole[3:]).all()


def gradient_of(name, rows, key, settings):
    module, config = estimators.find(name, settings)
    state = module.init(K, MODEL, config, key, MODEL.b)
    tree, _, _ = module.step(K, K.put(MODEL), config, state, K.put_rows(rows), key)
    return flat(tree)


@pytest.mark.parametrize("sweeps", [1, 3])
def test_cd_follows_the_transition_matrix_on_average(sweeps):
    rows = np.tile(ROWS, (50, 1))
    keys = [Key(31, 0, step=t, chain=len(rows) * t) for t in range(200)]
    found = np.array([gradient_of("cd", rows, key, {"k": sweeps}) for key in keys])
    after = np.linalg.matrix_power(sweep_matrix(MODEL), sweeps)[numbers_of(ROWS)].mean(axis=0)
    v = all_states(5)
    pairs = np.stack([v[:, i] * v[:, j] for i, j in zip(*np.triu_indices(5, 1), strict=True)], axis=1)
    statistics = np.hstack([pairs, v])
    wanted = statistics[numbers_of(ROWS)].mean(axis=0) - after @ statistics
    z, allowed = largest_z(found, wanted)
    assert z < allowed


# --- training -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["exact", "pseudolikelihood", "ratio_matching"])
def test_one_update_moves_along_the_gradient(name):
    fit = Fit(K, MODEL, ROWS, name, None, SGD(0.5, 0.0), epochs=1, batch_size=7)
    fit.advance(1)
    moved = {part: getattr(fit.model, part) - getattr(MODEL, part) for part in ("R", "b")}
    np.testing.assert_allclose(flat(moved), 0.5 * gradient_of(name, ROWS, Key(0, 0), {}), **EXACT)


@pytest.mark.parametrize("name", ["exact", "pseudolikelihood", "ratio_matching", "nce", "sml", "cd"])
def test_training_learns_the_rows(name):
    """Half the way from base rates to what `exact` reaches, in nats."""
    rows = all_states(5)[np.random.default_rng(2).choice(32, 400, p=law(2 * MODEL.R, 2 * MODEL.b))]

    def likelihood(estimator, epochs):
        start = BoltzmannMachine(np.zeros((5, 5)), MODEL.b)
        fit = Fit(K, start, rows, estimator, None, SGD(0.3, 0.5, schedule="linear"), epochs, 400)
        fit.advance(epochs)
        model = fit.model
        return np.log(law(model.R, model.b))[numbers_of(rows)].mean()

    before, best = likelihood("exact", 1), likelihood("exact", 300)
    assert best - before > 0.2
    assert likelihood(name, 300) > (before + best) / 2


def test_weight_decay_acts_on_weights_alone():
    handle = K.put(MODEL)
    assert K.update(handle, K.zeros(handle), K.zeros(handle), 0.5, 0.0, 0.25)
    np.testing.assert_allclose(K.get(handle).R, 0.875 * MODEL.R, **EXACT)
    assert (K.get(handle).b == MODEL.b).all()


def test_a_parameter_beyond_all_bounds_is_a_diverged_fit():
    fit = Fit(K, MODEL, ROWS, "exact", None, SGD(1e30), epochs=2, batch_size=7)
    with pytest.raises(Diverged):
        fit.advance(2)


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("R", "b", "words"),
    [
        ([[0.0, 1.0], [1.0, 0.0]], [0.0, 0.0], "strictly upper triangular"),
        ([[0.0, 0.0], [1.0, 0.0]], [0.0, 0.0], "strictly upper triangular"),
        ([[1.0, 1.0], [0.0, 0.0]], [0.0, 0.0], "strictly upper triangular"),
        ([[0.0, 1.0]], [0.0], "[n_visible, n_visible]"),
        (np.zeros((0, 0)), [], "not empty"),
        ([[0.0, 1.0], [0.0, 0.0]], [0.0], "b must have shape (2,)"),
        ([[0.0, np.nan], [0.0, 0.0]], [0.0, 0.0], "R holds a value that is not finite"),
        ([[0.0, 1.0], [0.0, 0.0]], ["a", "b"], "b must hold real numbers"),
    ],
)
def test_parameters_that_make_no_machine_are_refused(R, b, words):
    assert words in complaint(BoltzmannMachine, R, b)


def test_what_cannot_be_is_said_in_one_sentence():
    handle, grey = K.put(MODEL), K.put_rows(np.full((2, 5), 0.5))
    for job in FLIPS:
        assert "0 and 1" in complaint(getattr(K, job), handle, grey)
    assert "[rows, 5]" in complaint(K.free_energy, handle, K.put_rows(np.zeros((2, 4))))
    assert "5 visible units" in complaint(Fit, K, MODEL, np.zeros((3, 4)), "exact")
    large = BoltzmannMachine(np.zeros((26, 26)), np.zeros(26))
    for call in (K.log_z, boltzmann.moments):
        assert "2**26" in complaint(call, large)
    assert "2**26" in complaint(Fit, K, large, np.zeros((3, 26)), "exact")
    assert "grid" in complaint(K.put, MODEL, "grid")
