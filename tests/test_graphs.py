"""Models without hidden units, directed and undirected: definitions, samplers, log Z, what cannot be.

The oracle of the Boltzmann machine is proven in `test_boltzmann`, and backends agree with the oracle in
the gate; here stand the Bayesian network, and whatever every backend owes to the law itself.
"""

from itertools import pairwise

import numpy as np
import pytest
from conftest import (
    FAMILY_ALPHA,
    all_states,
    complaint,
    needs_two_threads,
    numbers_of,
    random_rows,
)
from scipy.special import logit
from test_boltzmann import random_machine, sweep_matrix
from test_gibbs import g_test

from ebmbench import partition, scalar
from ebmbench.compile import jit
from ebmbench.errors import Unavailable
from ebmbench.evaluation.likelihood import evaluate
from ebmbench.evaluation.samples import draw
from ebmbench.evaluation.sandwich import default_methods, sandwich
from ebmbench.kernels.cpu.graph.lanes import hear, hear_alone
from ebmbench.models import bayes_net, boltzmann
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.kinds import from_arrays, to_arrays
from ebmbench.randomness import Key, Stream, uniforms
from ebmbench.samplers import tempering
from ebmbench.training.fit import Diverged, Fit
from ebmbench.training.initial import initial_bayes_net, initial_boltzmann_machine
from ebmbench.training.sgd import SGD

EXACT = {"rtol": 0.0, "atol": 1e-12}
STATES, START = all_states(5), (0, 31, 5, 18, 27)


def random_net(n, seed=0, scale=1.5):
    rng = np.random.default_rng([seed, n])
    return BayesNet(np.triu(rng.normal(0.0, scale, (n, n)), 1), rng.normal(0.0, scale / 2, n))


NET, MACHINE = random_net(5, seed=2), random_machine(5, seed=4)


def law_by_loops(net):
    """p(v) of all states, one conditional after the other."""
    p = np.ones(2**net.n_visible)
    for number, v in enumerate(all_states(net.n_visible)):
        for j in range(net.n_visible):
            on = 1.0 / (1.0 + np.exp(-net.b[j] - sum(v[i] * net.W[i, j] for i in range(j))))
            p[number] *= on if v[j] else 1.0 - on
    return p


# --- the Bayesian network -----------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_the_law_is_the_product_of_conditionals(n):
    net = random_net(n, seed=1)
    wanted = law_by_loops(net)
    assert wanted.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(bayes_net.distribution(net), wanted, **EXACT)
    np.testing.assert_allclose(np.exp(-bayes_net.energy(net, all_states(n))), wanted, **EXACT)


def test_log_z_is_zero_whatever_the_size(k):
    assert k.log_z(BayesNet(np.zeros((300, 300)), np.ones(300))) == 0.0
    found = evaluate(k, NET, random_rows(9, 5), "exact")
    assert found.log_z.log_z == 0.0
    assert found.mean == pytest.approx(
        np.log(law_by_loops(NET))[numbers_of(random_rows(9, 5))].mean(), abs=1e-6
    )


def test_the_gradient_is_that_of_the_log_likelihood():
    rows, step = random_rows(6, 5, seed=3), 1e-6
    found = bayes_net.gradient(NET, rows)
    assert not np.tril(found["W"]).any()
    for name, places in (
        ("W", list(zip(*np.triu_indices(5, 1), strict=True))),
        ("b", list(np.ndindex(5))),
    ):
        for at in places:
            ends = []
            for sign in (1, -1):
                moved = {"W": NET.W.copy(), "b": NET.b.copy()}
                moved[name][at] += sign * step
                ends.append(np.log(law_by_loops(BayesNet(**moved)))[numbers_of(rows)].mean())
            assert found[name][at] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-7)


def test_the_expected_gradient_vanishes_at_the_truth():
    p = law_by_loops(NET)
    each = [bayes_net.gradient(NET, v[None]) for v in STATES]
    for name in ("W", "b"):
        rows = np.array([one[name].ravel() for one in each])
        np.testing.assert_allclose(p @ rows, 0.0, rtol=0, atol=1e-12)
        assert np.abs(rows).max() > 0.1


def test_draws_follow_the_law():
    rows = bayes_net.draws(NET, 20_000, Key(5, Stream.EXACT))
    assert g_test(np.bincount(numbers_of(rows), minlength=32), law_by_loops(NET)) > FAMILY_ALPHA


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_a_sweep_is_an_independent_draw_from_wherever_it_starts(k, beta):
    """Also where log odds are multiplied by beta, which makes another network."""
    wanted = law_by_loops(BayesNet(beta * NET.W, beta * NET.b))
    p = []
    for number in START:
        rows = k.put_rows(np.tile(STATES[number], (4000, 1)))
        v, h = k.gibbs(k.put(NET), rows, 1, Key(17, Stream.CHAINS, 3, 4000 * number), beta)
        assert k.get_rows(h).shape == (4000, 0)
        p.append(g_test(np.bincount(numbers_of(k.get_rows(v)), minlength=32), wanted))
    assert len(START) * min(p) > FAMILY_ALPHA


def test_learning_comes_near_the_truth(k):
    rows = bayes_net.draws(NET, 20_000, Key(6, Stream.EXACT))
    fit = Fit(k, initial_bayes_net(rows), rows, "exact", None, SGD(1.0, 0.9), 300, 20_000)
    fit.advance(300)
    p, q = law_by_loops(NET), law_by_loops(fit.model)
    assert p @ np.log(p / q) < 3 * 15 / (2 * 20_000)  # of 15 parameters, half of each a row
    assert p @ np.log(p / law_by_loops(initial_bayes_net(rows))) > 0.1


@pytest.mark.parametrize("name", ["cd", "sml"])
def test_sampled_gradients_are_right_on_average(k, name):
    """The negative phase's own gradient vanishes on average, as its rows are draws of the model."""
    rows = random_rows(50, 5, seed=7)
    settings = {"k": 1} | ({"chains": 50} if name == "sml" else {})
    fit = Fit(k, NET, rows, name, settings, SGD(1e-30, 0.0), epochs=400, batch_size=50)
    found = []
    for _ in range(400):
        gradient, _ = fit._gradient()
        tree = k.get_tree(fit._ascent.handle, gradient)
        found.append(np.concatenate([tree["W"][np.triu_indices(5, 1)], tree["b"]]))
        fit._ascent.done += 1
    wanted = bayes_net.gradient(NET, rows)
    wanted = np.concatenate([wanted["W"][np.triu_indices(5, 1)], wanted["b"]])
    z = (np.mean(found, axis=0) - wanted) / (np.std(found, axis=0) / 20.0)
    assert np.abs(z).max() < 4.0
    assert np.std(found, axis=0).min() > 1e-3


# --- the Boltzmann machine on every backend -----------------------------------------------------


@pytest.mark.parametrize(("sweeps", "beta"), [(1, 1.0), (2, 1.0), (1, 0.5)])
def test_a_sweep_follows_its_transition_matrix(k, sweeps, beta):
    wanted = np.linalg.matrix_power(sweep_matrix(MACHINE, beta), sweeps)
    p = []
    for number in START:
        rows = k.put_rows(np.tile(STATES[number], (4000, 1)))
        v, _ = k.gibbs(k.put(MACHINE), rows, sweeps, Key(21, Stream.CHAINS, sweeps, 4000 * number), beta)
        p.append(g_test(np.bincount(numbers_of(k.get_rows(v)), minlength=32), wanted[number]))
    assert len(START) * min(p) > FAMILY_ALPHA


def test_sums_that_start_anew_leave_the_law_as_it_is(k):
    """More sweeps than sums are followed for, from draws of the law itself."""
    law = boltzmann.distribution(MACHINE)
    start = boltzmann.draws(MACHINE, 20_000, Key(8, Stream.EXACT))
    v, _ = k.gibbs(k.put(MACHINE), k.put_rows(start), 70, Key(9, Stream.CHAINS))
    assert g_test(np.bincount(numbers_of(k.get_rows(v)), minlength=32), law) > FAMILY_ALPHA


def test_tempering_keeps_the_law_at_the_cold_end(k):
    law, base = boltzmann.distribution(MACHINE), np.linspace(-1.0, 1.0, 5)
    ladders = tempering.start(k, MACHINE, 4000, tempering.spaced(5), base, Key(10, Stream.CHAINS))
    ladders = tempering.advance(k, k.put(MACHINE), ladders, 70)
    counts = np.bincount(numbers_of(k.get_rows(tempering.coldest(k, ladders))), minlength=32)
    assert g_test(counts, law) > FAMILY_ALPHA
    assert (tempering.swap_rates(ladders) > 0.3).all()


def test_annealing_brackets_log_z(k):
    """So badly that there is a gap, and so well that there is none; the truth is enumerated."""
    machine = random_machine(8, seed=3, scale=2.0)
    rows, truth = random_rows(20, 8), boltzmann.log_z(machine)
    badly = sandwich(k, machine, rows, settings={"betas": 3, "chains": 400, "start": "exact"})
    low, _, high, exact = (found.log_z for found in badly.estimates)
    assert exact.log_z == pytest.approx(truth, abs=1e-9)
    assert np.mean(low.log_weights) < truth - 0.3  # nats: the mean log weight errs low, ...
    assert np.mean(high.log_weights) > truth + 0.3  # ... and back from exact draws high
    well = sandwich(k, machine, rows, settings={"betas": 400, "chains": 400, "start": "exact"})
    for found in well.estimates:
        assert found.log_z.log_z == pytest.approx(truth, abs=4 * max(found.log_z.std_error, 1e-6))
        assert found.log_z.std_error < 0.05


def test_pseudolikelihood_of_two_units_is_that_of_their_arrows_both_ways(k):
    """The last unit of a machine hears all others, as that of the network with the same couplings does.

    So of two units, log p(second | first) is the network's, and log p(first | second) that of the network
    of the units the other way about.
    """
    pair, rows = random_machine(2, seed=8), random_rows(9, 2, seed=4)
    (gradient, _), value = k.pseudolikelihood(k.put(pair), k.put_rows(rows))
    there, back = BayesNet(pair.R, pair.b), BayesNet(pair.R, pair.b[::-1])
    last = [bayes_net.errors(net, v)[:, 1] for net, v in ((there, rows), (back, rows[:, ::-1]))]
    tree = k.get_tree(k.put(pair), gradient)
    couplings = (rows[:, 0] * last[0] + rows[:, 1] * last[1]).mean()
    assert tree["R"][0, 1] == pytest.approx(couplings, abs=1e-6)
    np.testing.assert_allclose(tree["b"], [last[1].mean(), last[0].mean()], rtol=0, atol=1e-6)
    p = [np.where(v[:, 1] == 1, v[:, 1] - e, -e) for v, e in ((rows, last[0]), (rows[:, ::-1], last[1]))]
    chances = [np.where(v == 1, q, 1 - q) for v, q in zip((rows[:, 1], rows[:, 0]), p, strict=True)]
    assert value == pytest.approx(np.log(chances).sum(axis=0).mean(), abs=1e-5)


@pytest.mark.parametrize("estimator", ["sml", "parallel_tempering", "exact"])
def test_a_fit_goes_on_from_its_state_to_the_same_bits(k, estimator):
    """Chains, ladders and velocities included."""
    rows, few = random_rows(60, 5, seed=6), {"chains": 7} if estimator != "exact" else {}

    def fit():
        return Fit(k, MACHINE, rows, estimator, few, SGD(0.1, 0.9), epochs=20, batch_size=20, seed=3)

    whole, first, second = fit(), fit(), fit()
    whole.advance(60)
    first.advance(25)
    second.restore(first.state())
    second.advance(35)
    for name in ("R", "b"):
        np.testing.assert_array_equal(getattr(second.model, name), getattr(whole.model, name))


@pytest.mark.parametrize("decay", [0.0, 5.0])
def test_weights_that_leave_all_bounds_stop_a_run(k, decay):
    """Where units never hear them, no bias would tell."""
    fit = Fit(k, MACHINE, random_rows(7, 5), "cd", None, SGD(1.0, 0.9, decay), 300, 7)
    if decay == 0.0:
        fit.advance(300)
        return
    with pytest.raises(Diverged):
        fit.advance(300)
    assert fit.done < 100


# --- what holds for both ------------------------------------------------------------------------

# Units of a small machine hear all others anew, those of a larger one follow what changes.
LARGE = [random_net(45, 3, 0.3), random_machine(45, 3, 0.3), random_machine(150, 3, 0.2)]
KEY = Key(43, Stream.CHAINS, step=2**32 - 3, chain=6)


@pytest.fixture(params=LARGE, ids=lambda model: f"{model.kind}-{model.n_visible}")
def model(request):
    return request.param


@pytest.fixture
def all_work_is_worth_all_threads(monkeypatch):
    monkeypatch.setattr("ebmbench.kernels.cpu.threads._WORTH", 0)


def walk(k, model, rows, sweeps=5, key=KEY):
    return k.get_rows(k.gibbs(k.put(model), k.put_rows(rows), sweeps, key)[0])


@needs_two_threads
@pytest.mark.usefixtures("all_work_is_worth_all_threads")
def test_threads_do_not_change_a_chain(k, model, threads):
    rows = random_rows(23, model.n_visible)
    threads(1)
    wanted = walk(k, model, rows)
    threads(2)
    assert (walk(k, model, rows) == wanted).all()


@pytest.mark.parametrize("splits", [(0, 1, 23), (0, 7, 8, 20, 23), (0, 16, 18, 23), tuple(range(24))])
def test_the_split_of_a_batch_does_not_change_a_chain(k, model, splits):
    rows = random_rows(23, model.n_visible)
    parts = [
        walk(k, model, rows[low:high], key=KEY._replace(chain=KEY.chain + low))
        for low, high in pairwise(splits)
    ]
    assert (np.vstack(parts) == walk(k, model, rows)).all()


@pytest.mark.parametrize("count", [16, 48, 80, 128])
def test_a_row_hears_the_same_bits_alone_and_beside_fifteen_others(count):
    """Where a sum differs in its last bit states differ only once in some million draws."""
    rng = np.random.default_rng(count)
    weight, start = rng.normal(size=count).astype(np.float32), np.float32(rng.normal())
    state = rng.random((count, 16)).astype(np.float32)

    @jit
    def both(start, weight, state, rows, together, alone):
        hear(np.full(16, start), weight, state, weight.size, together)
        for r in range(16):
            alone[r] = hear_alone(start, weight, rows[r], weight.size)

    together, alone = np.zeros(16, np.float32), np.ones(16, np.float32)
    both(start, weight, state, np.ascontiguousarray(state.T), together, alone)
    assert (together == alone).all()
    np.testing.assert_allclose(together, start + weight.astype(float) @ state, rtol=0, atol=1e-4)


def test_stops_in_between_do_not_change_a_chain(k, model):
    rows = random_rows(23, model.n_visible)
    half = walk(k, model, rows, 2)
    assert (walk(k, model, half, 3, KEY.advance(2)) == walk(k, model, rows, 5)).all()


def test_the_given_rows_stay_as_they_are(k, model):
    rows = k.put_rows(random_rows(23, model.n_visible))
    before = k.get_rows(rows).copy()
    k.gibbs(k.put(model), rows, 2, KEY)
    assert (k.get_rows(rows) == before).all()


def test_a_model_comes_back_as_it_went(k, model):
    found = k.get(k.put(model))
    for name in model.names:
        np.testing.assert_allclose(getattr(found, name), getattr(model, name), rtol=1e-7, atol=1e-8)
    again = from_arrays(to_arrays(model))
    assert again.kind == model.kind
    assert all((getattr(again, name) == getattr(model, name)).all() for name in model.names)


@pytest.mark.parametrize("start", [initial_bayes_net, initial_boltzmann_machine])
def test_training_begins_with_independent_units(start):
    rows = random_rows(1000, 5, seed=9)
    model = start(rows)
    assert not getattr(model, model.names[0]).any()
    np.testing.assert_allclose(model.b, partition.base_rates(rows, "rows").bias, **EXACT)


def test_samples_of_both_are_states(k, model):
    rows = draw(k, model, 10, 3, seed=0)
    assert rows.shape == (10, model.n_visible)
    assert rows.dtype == np.uint8
    assert set(np.unique(rows)) == {0, 1}


def test_a_network_is_judged_exactly_and_a_machine_by_annealing():
    assert default_methods(NET) == ["exact"]
    assert default_methods(LARGE[1]) == ["ais", "bridge", "reverse_ais"]


def test_log_odds_of_uniforms():
    u = uniforms(Key(1, 0), 20, 5000)
    found = np.array([scalar.logit(x) for x in u.ravel()])
    np.testing.assert_allclose(found, logit(u.ravel().astype(float)), rtol=0, atol=5e-6)
    ends = np.float32(2.0**-24), np.float32(1.0 - 2.0**-24)
    np.testing.assert_allclose(
        [scalar.logit(x) for x in ends], logit(np.array(ends, float)), rtol=0, atol=5e-6
    )


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("W", "b", "words"),
    [
        ([[0.0, 0.0], [1.0, 0.0]], [0.0, 0.0], "W must be strictly upper triangular, since a unit's"),
        ([[1.0, 1.0], [0.0, 0.0]], [0.0, 0.0], "strictly upper triangular"),
        ([[0.0, 1.0]], [0.0], "W must be [n_visible, n_visible]"),
        ([[0.0, 1.0], [0.0, 0.0]], [0.0], "b must have shape (2,) to fit W"),
        ([[0.0, np.inf], [0.0, 0.0]], [0.0, 0.0], "W holds a value that is not finite"),
    ],
)
def test_parameters_that_make_no_network_are_refused(W, b, words):
    assert words in complaint(BayesNet, W, b)


def test_what_cannot_be_is_said_in_one_sentence(k):
    handle, rows = k.put(NET), k.put_rows(random_rows(4, 5))
    with pytest.raises(Unavailable, match="no pseudolikelihood for bayes_net"):
        k.pseudolikelihood(handle, rows)
    with pytest.raises(Unavailable, match="a bayes_net comes normalised, so there is nothing to anneal"):
        sandwich(k, NET, random_rows(4, 5), ["ais"])
    for model in (NET, MACHINE):
        assert "grid arithmetic does not apply" in complaint(k.put, model, "grid")
        assert "[rows, 5]" in complaint(k.gibbs, k.put(model), k.put_rows(random_rows(4, 6)), 1, KEY)
    assert "2**26" in complaint(k.log_z, BoltzmannMachine(np.zeros((26, 26)), np.zeros(26)))
