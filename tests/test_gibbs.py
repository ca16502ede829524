"""Block Gibbs sampling: its law from fixed states, and its stationary law, against enumeration."""

import numpy as np
import pytest
from conftest import (
    FAMILY_ALPHA,
    all_states,
    complaint,
    joint_law,
    numbers_of,
    random_rbm,
)
from scipy import stats
from scipy.special import expit

from ebmbench.models.enumerate import distribution, transition_matrix
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, Stream
from ebmbench.samplers.gibbs import Chains, advance, start

pytestmark = pytest.mark.usefixtures("one_thread")

MODEL = random_rbm(5, 4, seed=4)
SQUARE = random_rbm(5, 5, seed=4)
STATES = (0, 31, 5, 18, 27)  # numbers of the states of v to start from
CHAINS = 4000


def g_test(counts, p):
    """The p-value of counts under cell probabilities p; cells that expect fewer than 5 are pooled."""
    expected = counts.sum() * p / p.sum()
    rare = expected < 5.0
    f_obs = np.append(counts[~rare], counts[rare].sum())
    f_exp = np.append(expected[~rare], expected[rare].sum())
    if f_exp[-1] < 5.0:  # too little even together: joins the smallest of the others
        smallest = np.argmin(f_exp[:-1])
        f_obs[smallest], f_exp[smallest] = (x[smallest] + x[-1] for x in (f_obs, f_exp))
        f_obs, f_exp = f_obs[:-1], f_exp[:-1]
    return stats.power_divergence(f_obs, f_exp, lambda_="log-likelihood").pvalue


def transition_p(k, sweeps=1, beta=1.0, arithmetic="float", model=MODEL):
    """The smallest p-value, Bonferroni corrected, of `sweeps` sweeps from each of the states."""
    law = np.linalg.matrix_power(transition_matrix(model, beta), sweeps)
    handle = k.put(model, arithmetic)
    p = []
    for number in STATES:
        rows = np.tile(all_states(model.n_visible)[number], (CHAINS, 1)).astype(np.uint8)
        key = Key(17, Stream.CHAINS, step=1000 * sweeps, chain=CHAINS * number)
        v, _ = k.gibbs(handle, k.put_rows(rows), sweeps, key, beta)
        counts = np.bincount(numbers_of(k.get_rows(v)), minlength=2**model.n_visible)
        p.append(g_test(counts, law[number]))
    return min(1.0, len(p) * min(p))


def stationary_p(k, sweeps, model=MODEL, chains=100_000):
    """The p-value of the total variation from p(v) after sweeps from exact draws of p(v).

    Compared with the total variation of 2,000 exact draws of as many chains: the Monte-Carlo floor.
    """
    rng = np.random.default_rng(18)
    p = distribution(model)
    first = all_states(model.n_visible)[rng.choice(len(p), chains, p=p)]
    rows = k.put_rows(first.astype(np.uint8))
    v, _ = k.gibbs(k.put(model), rows, sweeps, Key(19, Stream.CHAINS, step=sweeps))
    counts = np.bincount(numbers_of(k.get_rows(v)), minlength=len(p))
    floor = np.abs(rng.multinomial(chains, p, 2000) / chains - p).sum(axis=1) / 2
    return np.mean(floor >= np.abs(counts / chains - p).sum() / 2)


@pytest.mark.parametrize("arithmetic", ["float", "grid"])
@pytest.mark.parametrize(
    ("sweeps", "beta"), [(1, 1.0), (3, 1.0), (1, 0.5), (2, 0.0)], ids=lambda x: f"{x:g}"
)
def test_sweeps_follow_the_transition_matrix(k, sweeps, beta, arithmetic):
    assert transition_p(k, sweeps, beta, arithmetic) > FAMILY_ALPHA


def test_sweeps_of_a_square_model(k):
    """Where W and its transpose have the same shape, nothing but the law tells them apart."""
    assert transition_p(k, model=SQUARE) > FAMILY_ALPHA


def test_the_last_h_is_what_v_was_drawn_from(k):
    """The pair (v, h) of one sweep follows p(h | start) p(v | h): 512 cells."""
    joint = joint_law(MODEL)
    rows = np.tile(all_states(5)[9], (20_000, 1)).astype(np.uint8)
    v, h = k.gibbs(k.put(MODEL), k.put_rows(rows), 1, Key(20, Stream.CHAINS))
    numbers = numbers_of(k.get_rows(v)) * 16 + numbers_of(k.get_rows(h))
    law = joint[9] / joint[9].sum() * joint / joint.sum(axis=0)
    assert g_test(np.bincount(numbers, minlength=512), law.ravel()) > FAMILY_ALPHA


@pytest.mark.parametrize("sweeps", [1, 5])
def test_the_stationary_law_stays(k, sweeps):
    """The floor is simulated 2,000 times: a p-value of 1e-3 still rests on two of them."""
    assert stationary_p(k, sweeps) > FAMILY_ALPHA


def test_probabilities_of_zero_and_one_are_kept(k):
    model = RBM(np.zeros((3, 2)), [-200.0, 200.0, 0.0], [200.0, -200.0])
    v, h = k.gibbs(k.put(model), k.put_rows(np.zeros((500, 3), np.uint8)), 2, Key(1, 0))
    v, h = k.get_rows(v), k.get_rows(h)
    assert (v[:, :2] == [0, 1]).all()
    assert (h == [1, 0]).all()
    assert 0 < v[:, 2].sum() < 500


# --- chains -------------------------------------------------------------------------------------


def test_chains_start_from_the_visible_biases(k):
    """Independent units with p = sigmoid(b): 32 cells; W and c play no part."""
    strong = RBM(MODEL.W * 10.0, MODEL.b, MODEL.c + 5.0)
    chains = start(k, strong, 20_000, Key(21, Stream.CHAINS))
    p = expit(MODEL.b)
    v = all_states(5)
    law = np.prod(np.where(v == 1.0, p, 1.0 - p), axis=1)
    counts = np.bincount(numbers_of(k.get_rows(chains.v)), minlength=32)
    assert g_test(counts, law) > FAMILY_ALPHA
    assert chains.key == Key(21, Stream.CHAINS)


@pytest.mark.filterwarnings("error")
def test_chains_start_at_large_biases_without_a_warning(k):
    model = RBM(np.zeros((2, 1)), [-1000.0, 1000.0], [0.0])
    assert k.get_rows(start(k, model, 3, Key(1, Stream.CHAINS)).v).tolist() == [[0, 1]] * 3


def test_advance_continues_where_the_chains_stand(k):
    model = k.put(MODEL)
    chains = start(k, MODEL, 50, Key(22, Stream.CHAINS))
    once = advance(k, model, chains, 5, beta=0.7)
    twice = advance(k, model, advance(k, model, chains, 2, beta=0.7), 3, beta=0.7)
    assert (k.get_rows(once.v) == k.get_rows(twice.v)).all()
    assert once.key == twice.key == chains.key.advance(5)
    wanted, _ = k.gibbs(model, chains.v, 5, chains.key, 0.7)
    assert (k.get_rows(once.v) == k.get_rows(wanted)).all()
    assert (k.get_rows(once.v) != k.get_rows(chains.v)).any()


def test_chains_need_at_least_one(k):
    assert "at least 1" in complaint(start, k, MODEL, 0, 1)
    assert "sweeps" in complaint(
        advance, k, k.put(MODEL), Chains(k.put_rows(np.zeros((1, 5))), Key(0, 0)), 0
    )
