"""Consistency: fits to exact draws of a known model against theory, by the task that suites run."""

from functools import cache

import numpy as np
import pytest
from conftest import complaint
from scipy import stats
from scipy.optimize import minimize
from scipy.special import rel_entr
from test_boltzmann import energies, flat, law

from ebmbench.errors import UserError
from ebmbench.harness import run as harness
from ebmbench.harness import spec, table, truths
from ebmbench.harness.tasks import consistency
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.enumerate import distribution
from ebmbench.randomness import Key, Stream

pytestmark = pytest.mark.usefixtures("one_thread")

SEEDS = range(6)
BACKENDS = {"rbm": "cpu", "boltzmann_machine": "reference"}
SETTINGS = {
    "rbm": {"centred": True, "updates": 200},
    "boltzmann_machine": {"updates": 200},
}
RATES = {"exact": 1.0, "pseudolikelihood": 0.3, "ratio_matching": 1.0, "nce": 0.5}


def fitted(family, estimator, n, seed, **more):
    """The row of one case and its parameters."""
    row: dict = {}
    case = consistency.Case(
        backend=BACKENDS[family],
        family=family,
        estimator={"name": estimator},
        n=n,
        seed=seed,
        **({"rate": RATES[estimator]} | SETTINGS[family] | more),
    )
    return row, consistency.run(case, row, [])


@cache
def errors(family, estimator, n):
    """What theory speaks of, of each seed."""
    measure = truths.FAMILIES[family]().measure
    return np.array([fitted(family, estimator, n, seed)[0][measure] for seed in SEEDS])


def slope(family, estimator, few, many):
    """The exponent of the median error."""
    ends = [np.median(errors(family, estimator, n)) for n in (few, many)]
    return np.log(ends[1] / ends[0]) / np.log(many / few)


@pytest.mark.parametrize("estimator", ["exact", "pseudolikelihood", "ratio_matching"])
def test_the_divergence_from_an_rbm_falls_with_the_rows(estimator):
    """2n KL is about chi-square of 20 degrees: its median of six has a spread of 0.17 in the logarithm.

    The slope over a factor of ten then spreads by 0.10; 3.5 times that is false once in 2,000.
    """
    assert slope("rbm", estimator, 300, 3000) == pytest.approx(-1.0, abs=0.35)


@pytest.mark.parametrize("estimator", ["exact", "pseudolikelihood", "ratio_matching"])
def test_the_error_of_a_boltzmann_machine_falls_with_the_square_root(estimator):
    """The norm of 21 errors, some much larger than others: twice the spread of half the exponent."""
    assert slope("boltzmann_machine", estimator, 300, 10_000) == pytest.approx(-0.5, abs=0.2)


@pytest.mark.parametrize("family", ["rbm", "boltzmann_machine"])
def test_maximum_likelihood_has_the_error_that_theory_gives(family):
    """Twice n times the KL divergence, summed over seeds, is chi-square of seeds x parameters (Wilks).

    Beyond the 0.05 % quantile on either side once in 1,000, but for terms of order 1/n.
    """
    truth = truths.FAMILIES[family]().model
    parameters = 20 if family == "rbm" else 21
    total = 0.0
    for seed in SEEDS:
        row, arrays = fitted(family, "exact", 3000, seed)
        if family == "rbm":
            divergence = row["kl"]
        else:
            p, q = law(truth.R, truth.b), law(arrays["R"], arrays["b"])
            divergence = rel_entr(p, q).sum()
        total += 2 * 3000 * divergence
    low, high = stats.chi2.ppf([5e-4, 1 - 5e-4], len(SEEDS) * parameters)
    assert low < total < high


@pytest.mark.parametrize("family", ["rbm", "boltzmann_machine"])
def test_nce_comes_near_and_learns_log_z(family):
    """Its error is within a factor of four of maximum likelihood's; log Z to 0.1 nats."""
    row, _ = fitted(family, "nce", 1000, 0)
    measure = truths.FAMILIES[family]().measure
    best = errors(family, "exact", 300).max()
    assert 0 < row[measure] < best
    assert row["learned_log_z"] == pytest.approx(row["log_z"], abs=0.1)
    assert row["learned_log_z"] != row["log_z"]


def test_the_fit_stands_at_the_maximum():
    """An independent optimiser on the definition: what is left is below 2 % of the statistical error."""
    truth = truths.boltzmann_machine()
    rows = truth.draws(truth.model, 1000, Key(0, Stream.EXACT, step=1000))
    upper = np.triu_indices(6, 1)
    mean = flat({"R": rows.T @ rows / len(rows), "b": rows.mean(axis=0)})

    def unpacked(x):
        R = np.zeros((6, 6))
        R[upper] = x[:15]
        return R, x[15:]

    def loss(x):
        negative = -energies(*unpacked(x))
        return np.log(np.exp(negative).sum()) - x @ mean

    found = minimize(loss, flat({"R": truth.model.R, "b": truth.model.b}), method="BFGS", tol=1e-7)
    best = BoltzmannMachine(*unpacked(found.x))
    _, arrays = fitted("boltzmann_machine", "exact", 1000, 0)
    left = truths.parameter_error(best, BoltzmannMachine(**arrays))
    assert left < 0.02 * truths.parameter_error(best, truth.model)


# --- the pieces ---------------------------------------------------------------------------------


@pytest.mark.parametrize("family", truths.FAMILIES)
def test_draws_follow_the_truth(family):
    """Chi-square of 20,000 draws; beyond the quantile once in 1,000."""
    truth = truths.FAMILIES[family]()
    p = distribution(truth.model) if family == "rbm" else law(truth.model.R, truth.model.b)
    rows = truth.draws(truth.model, 20_000, Key(5, Stream.EXACT))
    counts = np.bincount((rows @ 2 ** np.arange(6)).astype(int), minlength=64)
    assert 20_000 * p.min() > 5
    assert stats.chisquare(counts, 20_000 * p).pvalue > 1e-3


def test_errors_are_their_definitions():
    rbm, machine = truths.rbm().model, truths.boltzmann_machine().model
    other = type(rbm)(rbm.W + 0.3, rbm.b - 0.1, rbm.c)
    wanted = rel_entr(distribution(rbm), distribution(other)).sum()
    assert truths.kl_divergence(rbm, other) == pytest.approx(wanted, abs=1e-12)
    flipped = type(rbm)(rbm.W[:, ::-1], rbm.b, rbm.c[::-1])
    assert truths.kl_divergence(rbm, flipped) == pytest.approx(0.0, abs=1e-12)
    moved = BoltzmannMachine(machine.R + np.triu(np.full((6, 6), 2.0), 1), machine.b + 1.0)
    assert truths.parameter_error(machine, moved) == pytest.approx(np.sqrt(15 * 4.0 + 6.0))


# --- the suite ----------------------------------------------------------------------------------


def test_a_suite_makes_rows(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(
        "[[consistency]]\nfamily = 'boltzmann_machine'\nbackend = 'reference'\nupdates = 20\n"
        "estimator = [{ name = 'exact' }, { name = 'nce', ratio = 2 }]\nn = [50, 100]\n"
        "[[consistency]]\nfamily = 'boltzmann_machine'\nbackend = 'cpu'\n"
        "estimator = { name = 'exact' }\nn = 50\n"
    )
    suite = spec.load(str(path))
    harness.run(suite, tmp_path / "out")
    rows = table.load_table(tmp_path / "out").rows
    assert list(rows["status"]) == ["done"] * 4 + ["unavailable"]
    assert rows["reason"].iloc[-1] == "backend cpu has no put for boltzmann_machine"
    done = rows[:4]
    assert list(done["task"]) == ["consistency"] * 4
    assert sorted(zip(done["estimator"], done["n"], strict=True)) == [
        ("NCE-2", 50), ("NCE-2", 100), ("exact", 50), ("exact", 100),
    ]  # fmt: skip
    assert (done["parameter_error"] > 0).all()
    assert done["kl"].isna().all()
    assert (done["seconds"] > 0).all()
    assert done["log_z"].notna().all()
    assert list(done["learned_log_z"].notna()) == list(done["estimator"] == "NCE-2")
    again = harness.run(suite, tmp_path / "out")
    assert [row["key"] for row in again] == list(rows["key"])


def test_the_suite_of_the_package_is_sound():
    suite = spec.load("consistency")
    assert {case.seed for case in suite.cases} == set(range(8))
    kinds = {(case.family, case.estimator["name"]) for case in suite.cases}
    assert kinds >= {(family, name) for family in ("rbm", "boltzmann_machine") for name in RATES}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"family": "rmb"}, "unknown family 'rmb'; did you mean 'rbm'?"),
        ({"n": 0}, "n must be greater than 0"),
        ({"updates": 0}, "updates must be greater than 0"),
        ({"estimator": {"ratio": 3}}, "estimator must be a table with a name"),
        ({"estimator": {"name": "nce", "ratio": 0}}, "ratio of estimator nce"),
        ({"rate": -1.0}, "learning rate"),
    ],
)
def test_cases_that_cannot_be_are_refused(changes, words):
    known = {"backend": "cpu", "family": "rbm", "estimator": {"name": "exact"}, "n": 10}
    assert words in complaint(consistency.Case, **(known | changes))


def test_grey_rows_and_other_kinds_say_so():
    machine = truths.boltzmann_machine()
    with pytest.raises(UserError):
        machine.draws(BoltzmannMachine(np.zeros((26, 26)), np.zeros(26)), 1, Key(0, Stream.EXACT))
