"""`ebmbench verify`: what is right passes, each planted fault is seen, mistakes are one sentence.

What is planted is code as a user would bring it, in the small protocol. A right program fails a
statistical check once in 10**6.
"""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import complaint
from scipy import stats
from scipy.special import expit, logsumexp
from typer.testing import CliRunner

from ebmbench import peers
from ebmbench.cli.app import app
from ebmbench.harness import verify
from ebmbench.harness.gate import Red
from ebmbench.harness.verify import _checks, _targets
from ebmbench.peers import Place

CPU = Place("cpu", "float32")
NAMES = [check.name for check in _checks.CHECKS]


def draw(p, rng):
    return (rng.random(p.shape) < p).astype(float)


def free_energy(W, b, c, v):
    return -v @ b - np.logaddexp(0, v @ W + c).sum(1)


def sweep(W, b, c, v, seed):
    rng = np.random.default_rng(seed)
    h = draw(expit(v @ W + c), rng)
    return draw(expit(h @ W.T + b), rng), h


def contrast(W, c, v):
    h = expit(v @ W + c)
    return v.T @ h / len(v), v.mean(0), h.mean(0)


def update(W, b, c, batch, chains, rate, seed):
    chains, _ = sweep(W, b, c, chains, seed)
    moved = zip((W, b, c), contrast(W, c, batch), contrast(W, c, chains), strict=True)
    return *(x + rate * (data - model) for x, data, model in moved), chains


def log_likelihood(W, b, c, v):
    every = ((np.arange(2 ** len(b))[:, None] >> np.arange(len(b))) & 1).astype(float)
    return -free_energy(W, b, c, v) - logsumexp(-free_energy(W, b, c, every))


def pseudolikelihood(W, b, c, v, seed):
    i = np.random.default_rng(seed).integers(len(b), size=len(v))
    flipped = v.copy()
    flipped[np.arange(len(v)), i] = 1 - flipped[np.arange(len(v)), i]
    d = free_energy(W, b, c, flipped) - free_energy(W, b, c, v)
    return -len(b) * np.logaddexp(0, -d)


RIGHT = {
    "sweep": sweep, "update": update, "free_energy": free_energy, "log_likelihood": log_likelihood,
    "pseudolikelihood": pseudolikelihood,
}  # fmt: skip


def failed(monkeypatch, **functions):
    """The names of the checks that failed, of these functions."""
    monkeypatch.setattr(_targets.user_code, "load", lambda name: SimpleNamespace(**functions))
    found = verify.findings(verify.target("mine:it"))
    assert [one.check for one in found] == NAMES
    return {one.check: one.said for one in found if one.passed is False}


def test_what_is_right_passes(monkeypatch):
    assert failed(monkeypatch, **RIGHT) == {}
    found = verify.findings(verify.target("mine:it"))
    assert all(one.passed for one in found)
    assert verify.verdict(found) == f"verified: {', '.join(NAMES)}"


def test_what_is_not_there_is_not_checked(monkeypatch):
    assert failed(monkeypatch, sweep=sweep) == {}
    found = verify.findings(verify.target("mine:it"))
    assert verify.verdict(found) == "verified: transition, stationarity"
    said = {one.check: one.said for one in found[2:]}
    assert said["update"] == said["short batch"] == "it does not train"
    assert said["persistent chains"] == "it shows no chains that persist"
    assert said["scoring"] == "it offers no score"


def identity(W, b, c, v, seed):
    return v, draw(expit(v @ W + c), np.random.default_rng(seed))


def without_bias(W, b, c, v, seed):
    return sweep(W, 0 * b, c, v, seed)


def transposed(W, b, c, v, seed):
    return sweep(W.T if len(b) == len(c) else W, b, c, v, seed)


def thresholded(W, b, c, v, seed):
    h = (v @ W + c > 0).astype(float)
    return draw(expit(h @ W.T + b), np.random.default_rng(seed)), h


def other_h(W, b, c, v, seed):
    """Right v, but an h of its own, which v was not drawn from."""
    return sweep(W, b, c, v, seed)[0], draw(expit(v @ W + c), np.random.default_rng(seed + 99))


def one_number_for_all(W, b, c, v, seed):
    rng = np.random.default_rng(seed)
    h = (rng.random(len(c)) < expit(v @ W + c)).astype(float)
    return (rng.random(len(b)) < expit(h @ W.T + b)).astype(float), h


def slightly_hot(W, b, c, v, seed):
    return sweep(0.9 * W, b, c, v, seed)


def grey(W, b, c, v, seed):
    _, h = sweep(W, b, c, v, seed)
    return expit(h @ W.T + b), h


BOTH = {"transition", "stationarity"}


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (identity, {"transition"}),  # which leaves the law as it is
        (without_bias, BOTH),
        (transposed, {"transition"}),  # where W is square
        (thresholded, BOTH),
        (other_h, {"transition"}),
        (one_number_for_all, {"transition"}),
        (slightly_hot, BOTH),
        (grey, BOTH),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_a_wrong_sampler_is_seen(monkeypatch, fault, seen):
    assert failed(monkeypatch, **RIGHT | {"sweep": fault}).keys() >= seen


def scaled_by_the_chains(W, b, c, batch, chains, rate, seed):
    """As scikit-learn has it: sums over batch and chains, both divided by the rows of the batch."""
    chains, _ = sweep(W, b, c, chains, seed)
    part = len(chains) / len(batch)
    moved = zip((W, b, c), contrast(W, c, batch), contrast(W, c, chains), strict=True)
    return *(x + rate * (data - part * model) for x, data, model in moved), chains


def scaled_by_a_full_batch(W, b, c, batch, chains, rate, seed):
    return update(W, b, c, batch, chains, rate * len(batch) / len(chains), seed)


def descending(W, b, c, batch, chains, rate, seed):
    return update(W, b, c, batch, chains, -rate, seed)


@pytest.mark.parametrize("fault", [scaled_by_the_chains, scaled_by_a_full_batch])
def test_a_short_batch_that_counts_as_a_full_one_is_seen(monkeypatch, fault):
    assert failed(monkeypatch, **RIGHT | {"update": fault}).keys() == {"short batch"}


def test_a_wrong_update_is_seen(monkeypatch):
    assert failed(monkeypatch, **RIGHT | {"update": descending}).keys() == {"update", "short batch"}


SCORES = {
    "free energy without c": {"free_energy": lambda W, b, c, v: free_energy(W, b, 0 * c, v)},
    "unnormalised": {"log_likelihood": lambda W, b, c, v: -free_energy(W, b, c, v)},
    "the same units": {"pseudolikelihood": lambda W, b, c, v, seed: pseudolikelihood(W, b, c, v, 3)},
    "a unit's share": {
        "pseudolikelihood": lambda W, b, c, v, seed: pseudolikelihood(W, b, c, v, seed) / len(b)
    },
    "shape": {"free_energy": lambda W, b, c, v: free_energy(W, b, c, v)[:3]},
    "nan": {"free_energy": lambda W, b, c, v: free_energy(W, b, c, v) * np.nan},
}


def _training(advance):
    """SML whose chains move by advance(W, b, c, batch, chains, seed)."""

    def trained(W, b, c, batch, chains, rate, seed):
        chains = advance(W, b, c, batch, chains, seed)
        moved = zip((W, b, c), contrast(W, c, batch), contrast(W, c, chains), strict=True)
        return *(x + rate * (data - model) for x, data, model in moved), chains

    return trained


@pytest.mark.parametrize(
    "advance",
    [
        lambda W, b, c, batch, chains, seed: chains,
        lambda W, b, c, batch, chains, seed: np.zeros_like(chains),
        lambda W, b, c, batch, chains, seed: sweep(W, b, c, batch, seed)[0],
        lambda W, b, c, batch, chains, seed: without_bias(W, b, c, chains, seed)[0],
        lambda W, b, c, batch, chains, seed: sweep(W, b, c, chains[::-1], seed)[0],
    ],
    ids=["frozen", "all off", "from the batch", "without a bias", "exchanged"],
)
def test_chains_that_do_not_walk_on_are_seen(monkeypatch, advance):
    assert "persistent chains" in failed(monkeypatch, update=_training(advance))


def test_a_program_that_leaves_python_has_failed(monkeypatch):
    def leaves(W, b, c, v, seed):
        sys.exit(0)

    assert "SystemExit" in failed(monkeypatch, sweep=leaves)["transition"]


def test_a_file_that_leaves_python_is_one_sentence(tmp_path):
    (tmp_path / "mine.py").write_text("raise SystemExit(3)")
    assert "ends the program with status 3 as it is imported" in complaint(
        verify.target, str(tmp_path / "mine.py")
    )


@pytest.mark.parametrize("name", SCORES)
def test_a_wrong_score_is_seen(monkeypatch, name):
    assert failed(monkeypatch, **RIGHT | SCORES[name]).keys() == {"scoring"}


def test_scores_may_be_means_or_exact(monkeypatch):
    mean = lambda *given: pseudolikelihood(*given).mean()  # noqa: E731
    assert failed(monkeypatch, pseudolikelihood=mean) == {}
    exact = lambda W, b, c, v, seed: np.sum(  # noqa: E731
        [
            -np.logaddexp(0, free_energy(W, b, c, v) - free_energy(W, b, c, np.abs(v - unit)))
            for unit in np.eye(len(b))
        ],
        axis=0,
    )
    assert failed(monkeypatch, pseudolikelihood=exact) == {}


def test_what_raises_or_has_another_shape_failed_and_says_how(monkeypatch):
    def raising(*given):
        raise ZeroDivisionError("no")

    said = failed(monkeypatch, sweep=raising)
    assert set(said.values()) == {"it raised ZeroDivisionError: no"}
    said = failed(monkeypatch, sweep=lambda W, b, c, v, seed: (v[:5], v))
    assert "[5, 3], but [160000, 3] is right" in said["transition"]
    assert "unpack" in failed(monkeypatch, sweep=lambda *given: given)["transition"]


def test_the_g_test_rejects_as_often_as_it_says():
    """Under the law its p-values are uniform, rare cells included: a Kolmogorov-Smirnov test, 10**-6."""
    rng = np.random.default_rng(0)
    laws = rng.dirichlet(np.full(16, 0.5), size=8)
    p = [_checks.g_test(np.stack([rng.multinomial(2000, law) for law in laws]), laws) for _ in range(400)]
    assert stats.kstest(p, "uniform").pvalue > 1e-6
    shifted = np.roll(laws, 1, axis=1)
    assert _checks.g_test(np.stack([rng.multinomial(2000, law) for law in laws]), shifted) < 1e-6


def times_found(shift, times=20):
    """How often a sampler fails whose bias of the second visible unit is off: the hardest to see."""
    found = 0
    for seed in range(times):

        def sample(model, v, sweeps, seed=seed):
            b = model.b + shift * (np.arange(model.n_visible) == 1)
            return dict(zip("vh", sweep(model.W, b, model.c, v, seed), strict=True))

        try:
            _checks.transition(_targets.Target("mine", sample=sample))
        except Red:
            found += 1
    return found


def test_a_check_finds_what_it_says():
    """99 times of 100, of which 20 have less than 16 once in 10**5; and half as much hardly ever."""
    smallest = _checks._smallest_bias(joint=True)
    assert _checks.CHECKS[0].finds() == f"a bias off by {smallest:.2f}"
    assert times_found(smallest) >= 16
    assert times_found(0.5 * smallest) <= 4


# Peers


@pytest.mark.parametrize("name", ["numpy", "torch_eager", "rbms", "learnergy", "scikit_learn", "thrml"])
def test_the_verdict_on_a_peer(name):
    try:
        found = verify.findings(verify.of_peer(name, CPU))
    except peers.Unavailable as reason:
        pytest.skip(str(reason))
    wrong = {one.check for one in found if one.passed is False}
    # A known fault: sums over more chains than a short batch has rows.
    assert wrong == ({"short batch"} if name == "scikit_learn" else set())


def test_a_peer_is_verified_once_a_process_or_says_why_not(monkeypatch):
    count = []
    monkeypatch.setattr(verify, "findings", lambda one: count.append(one.name) or [])
    verify.of.cache_clear()
    assert [verify.of("numpy", CPU)] * 2 == ["not checked", verify.of("numpy", CPU)]
    assert count == ["numpy"]
    assert verify.of("torch_compiled", CPU).endswith("ebmbench verify torch_compiled")
    monkeypatch.setattr(peers.known()["numpy"], "PACKAGE", "no_such_numpy")
    verify.of.cache_clear()
    assert verify.of("numpy", CPU) == "not checked: peer numpy needs the package no_such_numpy"
    verify.of.cache_clear()


# The command


def run(*arguments):
    done = CliRunner().invoke(app, ["verify", *arguments], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.return_value, done.output


MINE = """
import numpy as np

class Sampler:
    @staticmethod
    def sweep(W, b, c, v, seed):
        rng = np.random.default_rng(seed)
        h = (rng.random((len(v), len(c))) < 1 / (1 + np.exp(-(v @ W + c)))).astype(float)
        return (rng.random(v.shape) < 1 / (1 + np.exp(-(h @ W.T + b{sign} )))).astype(float), h
"""


def test_a_file_of_ones_own_and_the_exit_status(tmp_path, monkeypatch):
    good, bad = tmp_path / "good_sampler.py", tmp_path / "bad_sampler.py"
    good.write_text(MINE.replace("{sign}", ""))
    bad.write_text(MINE.replace("{sign}", " + 0.3"))
    status, said = run(f"{good}:Sampler")
    assert (status, "verified: transition, stationarity" in said) == (0, True)
    assert "1e-06" in said
    status, said = run(f"{bad}:Sampler", "--json")
    found = json.loads(said)
    assert (status, found["verdict"]) == (1, "failed: transition, stationarity")
    assert [one["check"] for one in found["checks"]] == NAMES
    assert all(one["false_alarm"] <= 2e-6 for one in found["checks"])
    monkeypatch.chdir(tmp_path)
    assert run("good_sampler:Sampler")[0] == 0
    sys.modules.pop("good_sampler")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("numpi", "did you mean 'numpy'"),
        ("nowhere.py", "there is no file nowhere.py"),
        ("no_such_module:it", "no_such_module cannot be imported: ModuleNotFoundError"),
        ("json:nothing", "json has no nothing"),
        ("json:dumps", "json:dumps has nothing to verify: it needs one of sweep, update"),
    ],
)
def test_a_mistake_is_one_sentence(name, said):
    assert said in complaint(run, name)


def test_help_states_the_protocol():
    said = CliRunner().invoke(app, ["verify", "--help"]).output
    for name in _targets._PROTOCOL:
        assert f"{name}(W, b, c" in said
    assert "[]" not in said
