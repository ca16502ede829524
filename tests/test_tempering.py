"""Parallel tempering: its law on enumerated models, its exchanges, its ladders' independence."""

import numpy as np
import pytest
from conftest import FAMILY_ALPHA, backend, complaint, joint_energies, numbers_of, random_rbm
from scipy import stats
from scipy.special import logsumexp

from ebmbench.evaluation.diagnostics import total_variation, total_variation_floor
from ebmbench.kernels import api
from ebmbench.models.enumerate import distribution
from ebmbench.models.rbm import RBM, energy, free_energy
from ebmbench.randomness import Key, Stream
from ebmbench.samplers.tempering import advance, coldest, spaced, start, swap_rates

KEY = Key(21, Stream.CHAINS)


def law_on_path(model, base, beta):
    """p(v) at a place on the path, from the definition, [2**n_visible]."""
    negative = -beta * joint_energies(model.W, model.b, model.c)
    states = (np.arange(2 ** len(base))[:, None] >> np.arange(len(base))) & 1
    marginal = logsumexp(negative, axis=1) + (1 - beta) * states @ base
    return np.exp(marginal - logsumexp(marginal))


def visits(k, model, base, betas, ladders, sweeps, burn_in=50):
    """How often each v was seen at the model's own temperature, [2**n_visible]."""
    handle = k.put(model)
    chains = advance(k, handle, start(k, model, ladders, betas, base, KEY), burn_in)
    counts = np.zeros(2**model.n_visible)
    for _ in range(sweeps):
        chains = advance(k, handle, chains, 1)
        counts += np.bincount(numbers_of(k.get_rows(coldest(k, chains))), minlength=counts.size)
    return counts


# A model with separate modes: block Gibbs sampling alone seldom crosses.
BIMODAL = RBM(np.full((4, 3), 4.0), np.full(4, -6.0), np.full(3, -8.0))


def mode_z(k, model=BIMODAL, ladders=400, sweeps=60):
    """The share of the coldest chains in the mode of ones, in standard errors from the truth.

    Ladders are independent, so their states at the last sweep are independent draws.
    """
    base = np.zeros(model.n_visible)
    chains = start(k, model, ladders, spaced(8), base, KEY)
    chains = advance(k, k.put(model), chains, sweeps)
    ones = k.get_rows(coldest(k, chains)).sum(axis=1) > 2
    states = (np.arange(16)[:, None] >> np.arange(4)) & 1
    truth = distribution(model)[states.sum(axis=1) > 2].sum()
    return abs(ones.mean() - truth) / np.sqrt(truth * (1 - truth) / ladders)


def stationarity_p(k, model, base, betas, ladders=4000, sweeps=3):
    """Smallest p-value of a G-test a temperature: from exact draws the law must stay as it is."""
    rng = np.random.default_rng(5)
    states = (np.arange(2**model.n_visible)[:, None] >> np.arange(model.n_visible)) & 1
    laws = [law_on_path(model, base, beta) for beta in betas]
    drawn = np.stack([rng.choice(len(law), ladders, p=law) for law in laws], axis=1)
    v = states[drawn.ravel()].astype(np.uint8)
    moved = k.temper(k.put(model), base, betas, k.put_rows(v), sweeps, KEY)
    numbers = numbers_of(k.get_rows(moved.v)).reshape(ladders, len(betas))
    found = []
    for t, law in enumerate(laws):
        counts = np.bincount(numbers[:, t], minlength=len(law))
        found.append(stats.power_divergence(counts, law * ladders, lambda_=0).pvalue)
    return min(found) * len(found)  # Bonferroni


def test_every_temperature_keeps_its_law(k):
    model, base = random_rbm(3, 3, seed=2, scale=1.5), np.array([0.7, -0.4, 0.1])
    assert stationarity_p(k, model, base, np.array([0.0, 0.3, 0.8, 1.0])) > FAMILY_ALPHA


@pytest.mark.parametrize(
    "wrong",
    [
        lambda model, v, h: -energy(model, v, h),
        lambda model, v, h: np.zeros(len(v)),
        lambda model, v, h: free_energy(model, v),
        lambda model, v, h: energy(model, v, h[::-1]),
    ],
    ids=["inverted", "always exchanged", "free energy", "another chain's h"],
)
def test_a_wrong_exchange_is_seen(monkeypatch, wrong):
    k = backend("reference")
    monkeypatch.setattr("ebmbench.kernels.reference.tempering.energy", wrong)
    model, base = random_rbm(3, 3, seed=2, scale=1.5), np.array([0.7, -0.4, 0.1])
    assert stationarity_p(k, model, base, np.array([0.0, 0.3, 0.8, 1.0])) < FAMILY_ALPHA


def test_modes_get_their_shares(k):
    """From base rates to the law of two modes: 3.3 standard errors are exceeded once in 1,000."""
    assert mode_z(k) < 3.3


def test_total_variation_of_an_8x6_model_stands_at_the_monte_carlo_floor(computed):
    """A million states of the coldest chains against as many independent draws.

    Sweeps of a ladder are correlated, so its floor is that of somewhat fewer draws: within a quarter.
    """
    model = random_rbm(8, 6, seed=3)
    counts = visits(computed, model, np.zeros(8), spaced(6), ladders=2000, sweeps=500)
    law = distribution(model)
    floor = total_variation_floor(law, counts.sum())
    assert total_variation(counts, law) < 1.25 * floor
    assert floor < 0.006


def test_the_end_of_the_path_is_the_base_itself(k):
    """At beta 0 without exchanges v is drawn from the base rates, whatever the model says."""
    base, model = np.array([2.0, -2.0, 0.0]), random_rbm(3, 2, scale=5.0)
    v = k.put_rows(np.zeros((8000, 3), np.uint8))
    moved = k.temper(k.put(model), base, np.array([0.0, 0.0]), v, 1, KEY)
    mean = k.get_rows(moved.v).mean(axis=0)
    p = 1 / (1 + np.exp(-base))
    assert (np.abs(mean - p) < 4.5 * np.sqrt(p * (1 - p) / 8000)).all()


def test_equal_temperatures_always_exchange(k):
    model, betas = random_rbm(4, 3), np.array([1.0, 1.0, 1.0])
    v = k.put_rows(np.random.default_rng(0).integers(0, 2, (6, 4)).astype(np.uint8))
    moved = k.temper(k.put(model), np.zeros(4), betas, v, 5, KEY)
    assert moved.accepted.tolist() == moved.proposed.tolist() == [6, 4]
    # Pair 0 has its turn at even steps, pair 1 at odd ones.
    later = k.temper(k.put(model), np.zeros(4), betas, v, 5, KEY.advance(1))
    assert later.proposed.tolist() == [4, 6]


def test_swap_rates_are_those_of_the_law(k):
    """The expected acceptance of independent joint draws at both temperatures, by enumeration."""
    model, betas, base = random_rbm(3, 2, seed=7, scale=2.0), np.array([0.4, 1.0]), np.zeros(3)
    energies = joint_energies(model.W, model.b, model.c).ravel()
    laws = [np.exp(-beta * energies - logsumexp(-beta * energies)) for beta in betas]
    accept = np.exp(np.minimum((betas[1] - betas[0]) * (energies[None, :] - energies[:, None]), 0.0))
    expected = laws[0] @ accept @ laws[1]
    ladders = 4000
    chains = start(k, model, ladders, betas, base, KEY)
    chains = advance(k, k.put(model), chains, 40)
    settled = advance(k, k.put(model), chains._replace(accepted=0, proposed=0), 2)
    rate = swap_rates(settled)[0]
    assert abs(rate - expected) < 4 * np.sqrt(expected * (1 - expected) / ladders)


def test_continuing_and_splitting_change_nothing(k, threads):
    model, betas, base = random_rbm(9, 5, seed=1), spaced(3), np.linspace(-1, 1, 9)
    handle = k.put(model)
    begun = start(k, model, 4, betas, base, KEY)
    whole = advance(k, handle, begun, 6)
    parts = advance(k, handle, advance(k, handle, begun, 4), 2)
    assert (k.get_rows(whole.v) == k.get_rows(parts.v)).all()
    assert (whole.accepted == parts.accepted).all()
    assert (whole.proposed == parts.proposed).all()
    rows = k.get_rows(begun.v)
    second = k.temper(handle, base, betas, k.put_rows(rows[6:]), 6, KEY._replace(chain=6))
    assert (k.get_rows(second.v) == k.get_rows(whole.v)[6:]).all()
    threads(1)
    assert (k.get_rows(advance(k, handle, begun, 6).v) == k.get_rows(whole.v)).all()
    assert (k.get_rows(begun.v) == rows).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"betas": np.array([1.0])}, "at least 2 inverse temperatures"),
        ({"betas": np.array([0.0, 0.5])}, "rise to 1"),
        ({"betas": np.array([0.5, 0.2, 1.0])}, "rise to 1"),
        ({"count": 0}, "number of ladders"),
    ],
)
def test_a_wrong_ladder_is_named(k, change, words):
    model = random_rbm(3, 2)
    given = {"count": 2, "betas": spaced(3), "base": np.zeros(3), "key": KEY} | change
    assert words in complaint(start, k, model, **given)


def test_the_job_names_what_is_wrong(k):
    model, v = k.put(random_rbm(3, 2)), k.put_rows(np.zeros((5, 3), np.uint8))
    assert "5 rows are no whole number of ladders" in complaint(
        k.temper, model, np.zeros(3), spaced(2), v, 1, KEY
    )
    assert "base rates" in complaint(k.temper, model, np.zeros(4), spaced(5), v, 1, KEY)
    assert "sweeps" in complaint(k.temper, model, np.zeros(3), spaced(5), v, 0, KEY)
    assert "at least 2 temperatures" in complaint(spaced, 1)
    assert isinstance(api.Tempered(v, np.zeros(1), np.zeros(1)), tuple)
