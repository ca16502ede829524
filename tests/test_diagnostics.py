"""Diagnostics of chains against laws that are known."""

import numpy as np
import pytest
from conftest import FAMILY_ALPHA, complaint, random_rbm
from scipy import stats

from ebmbench.evaluation import diagnostics
from ebmbench.models import enumerate as exact

LAW = exact.distribution(random_rbm(5, 4))


def autoregressive(chains, sweeps, rho, seed=0):
    rng = np.random.default_rng(seed)
    x = np.empty((chains, sweeps))
    x[:, 0] = rng.normal(size=chains)
    for t in range(1, sweeps):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * rng.normal(size=chains)
    return x


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_effective_size_of_an_autoregression_is_known(rho):
    """n (1 - rho) / (1 + rho); over ten seeds the estimate's own spread was below 5 %."""
    n = 4 * 20_000
    found = diagnostics.effective_sample_size(autoregressive(4, 20_000, rho))
    assert found == pytest.approx(n * (1 - rho) / (1 + rho), rel=0.15)


def test_r_hat_is_one_where_chains_agree_and_larger_where_they_do_not():
    x = autoregressive(4, 2_000, 0.5)
    assert diagnostics.r_hat(x) < 1.01
    assert diagnostics.r_hat(x + np.arange(4)[:, None]) > 1.1


def test_without_arviz_one_sentence_says_what_is_needed(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "arviz_stats.base", None)
    assert "arviz_stats" in complaint(diagnostics.r_hat, np.zeros((2, 10)))


def test_visits_are_counted_in_the_order_of_the_states():
    states = exact.states(3).astype(np.uint8)
    rows = np.repeat(states, np.arange(8), axis=0)
    assert list(diagnostics.visits(rows)) == list(range(8))


@pytest.mark.parametrize("n", [1, 30, 1000, 200_000])
def test_the_floor_is_the_mean_distance_of_independent_draws(n):
    """Against 2,000 multinomial draws; the chance of a false alarm is FAMILY_ALPHA."""
    counts = np.random.default_rng(n).multinomial(n, LAW / LAW.sum(), size=2_000)
    found = [diagnostics.total_variation(one, LAW) for one in counts]
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    allowed = stats.norm.ppf(1 - FAMILY_ALPHA / 2) * error + 1e-12
    assert np.mean(found) == pytest.approx(diagnostics.total_variation_floor(LAW, n), abs=allowed)


def test_total_variation_of_the_law_itself_and_of_its_opposite():
    law = np.array([0.25, 0.75, 0.0])
    assert diagnostics.total_variation(np.array([1, 3, 0]), law) == 0.0
    assert diagnostics.total_variation(np.array([0, 0, 7]), law) == 1.0
