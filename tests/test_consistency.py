"""Consistency: fits to exact draws of a known model against theory, by the task that suites run."""

from functools import cache

import numpy as np
import pytest
from conftest import complaint
from scipy import stats
from scipy.optimize import minimize
from scipy.special import rel_entr
from test_boltzmann import energies, flat, law

from ebmbench.harness import run as harness
from ebmbench.harness import spec, table, truths
from ebmbench.harness.tasks import consistency
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.enumerate import distribution
from ebmbench.randomness import Key, Stream

pytestmark = pytest.mark.usefixtures("one_thread")

SEEDS = range(6)
BACKENDS = dict.fromkeys(truths.FAMILIES, "cpu")
SETTINGS = {
    "rbm": {"centred": True, "updates": 200},
    "bayes_net": {"updates": 300},
    "boltzmann_machine": {"updates": 200},
    "gaussian": {"updates": 200},
}
RATES = {"exact": 1.0, "pseudolikelihood": 0.3, "ratio_matching": 1.0, "nce": 0.5}
DENOISING = 0.5


def fitted(family, estimator, n, seed, settings=(), **more):
    """The row of one case and its parameters."""
    row: dict = {}
    case = consistency.Case(
        backend=BACKENDS[family],
        family=family,
        estimator={"name": estimator, **dict(settings)},
        n=n,
        seed=seed,
        **({"rate": RATES.get(estimator, 0.3)} | SETTINGS[family] | more),
    )
    return row, consistency.run(case, row, [])


@cache
def errors(family, estimator, n, settings=()):
    """What theory speaks of, of each seed."""
    measure = truths.FAMILIES[family]().measure
    return np.array([fitted(family, estimator, n, seed, settings)[0][measure] for seed in SEEDS])


def slope(family, estimator, few, many, settings=()):
    """The exponent of the median error."""
    ends = [np.median(errors(family, estimator, n, settings)) for n in (few, many)]
    return np.log(ends[1] / ends[0]) / np.log(many / few)


@pytest.mark.parametrize("estimator", ["exact", "pseudolikelihood", "ratio_matching"])
def test_the_divergence_from_an_rbm_falls_with_the_rows(estimator):
    """2n KL is about chi-square of 20 degrees: its median of six has a spread of 0.17 in the logarithm.

    The slope over a factor of ten then spreads by 0.10; 3.5 times that is false once in 2,000.
    """
    assert slope("rbm", estimator, 300, 3000) == pytest.approx(-1.0, abs=0.35)


@pytest.mark.parametrize("estimator", ["exact", "pseudolikelihood", "ratio_matching"])
def test_the_error_of_a_boltzmann_machine_falls_with_the_square_root(estimator):
    """The norm of 21 errors spreads by 0.2 in its logarithm, a median of six by 0.1, a slope by 0.06."""
    assert slope("boltzmann_machine", estimator, 300, 3000) == pytest.approx(-0.5, abs=0.2)


def test_the_error_of_a_bayes_net_falls_with_the_square_root():
    """As of the Boltzmann machine: it has as many parameters."""
    assert slope("bayes_net", "exact", 300, 3000) == pytest.approx(-0.5, abs=0.2)


@pytest.mark.parametrize("noise", [0.0, DENOISING])
def test_the_error_of_score_matching_falls_with_the_square_root(noise):
    """The norm of 6 errors of unlike size spreads by 0.35 in the logarithm, its median of six by 0.18.

    The slope over a factor of ten then spreads by 0.11; 3.2 times that is false once in 700.
    """
    found = slope("gaussian", "score_matching", 300, 3000, (("denoising", noise),))
    assert found == pytest.approx(-0.5, abs=0.35)


@pytest.mark.parametrize("noise", [0.0, DENOISING])
def test_score_matching_fits_the_moments_of_the_data_and_denoising_those_with_its_noise(noise):
    """The closed form is exact. With noise, drawn anew for every update, means are off by 0.007.

    One draw of the noise moves a mean by sqrt((1/noise² - B) / 3000) / B < 0.08 (B = 0.44), and the
    falling rate averages over the last 130 updates or so.
    """
    slow = {"updates": 1000, "rate": 0.03} if noise else {}
    _, arrays = fitted("gaussian", "score_matching", 3000, 1, (("denoising", noise),), **slow)
    truth = truths.gaussian()
    rows = truth.draws(truth.model, 3000, Key(1, Stream.EXACT, step=3000))
    wanted = rows.mean(axis=0), 1.0 / (rows.var(axis=0) + noise**2)
    tolerance = 0.03 if noise else 1e-4
    np.testing.assert_allclose(arrays["b"], wanted[0], rtol=0, atol=tolerance)
    np.testing.assert_allclose(arrays["precision"], wanted[1], rtol=tolerance)
    assert np.abs(arrays["precision"] - truth.model.precision).max() > tolerance
    assert not arrays["W"].any()


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


@pytest.mark.parametrize("family", ["rbm", "boltzmann_machine"])
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


def test_noise_widens_a_normal():
    model = truths.gaussian().model
    wider = truths.noised(model, 2.0)
    np.testing.assert_allclose(1.0 / wider.precision, 1.0 / model.precision + 4.0)
    assert (wider.b == model.b).all()
    assert truths.noised(model, 0.0) is model


# --- the suite ----------------------------------------------------------------------------------


def test_a_suite_makes_rows(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(
        "[[consistency]]\nfamily = 'boltzmann_machine'\nbackend = 'reference'\nupdates = 20\n"
        "estimator = [{ name = 'exact' }, { name = 'nce', ratio = 2 }]\nn = [50, 100]\n"
        "[[consistency]]\nfamily = 'gaussian'\nbackend = 'cpu'\n"
        "estimator = { name = 'pseudolikelihood' }\nn = 50\n"
    )
    suite = spec.load(str(path))
    harness.run(suite, tmp_path / "out")
    rows = table.load_table(tmp_path / "out").rows
    assert list(rows["status"]) == ["done"] * 4 + ["unavailable"]
    assert "pseudolikelihood needs binary visible units" in rows["reason"].iloc[-1]
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
    wanted = {(family, name) for family in ("rbm", "boltzmann_machine") for name in RATES}
    assert kinds == wanted | {("gaussian", "score_matching"), ("bayes_net", "exact")}


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


def test_what_does_not_apply_says_so():
    large = BoltzmannMachine(np.zeros((26, 26)), np.zeros(26))
    assert "2**26" in complaint(truths.boltzmann_machine().draws, large, 1, Key(0, Stream.EXACT))
    assert "Gaussian" in complaint(fitted, "rbm", "score_matching", 10, 0, (("denoising", 0.5),))
    assert "binary" in complaint(fitted, "gaussian", "pseudolikelihood", 10, 0)
