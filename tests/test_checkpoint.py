"""A run goes on from its state, its file or its last breath to the same bits; and from nobody else's."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import complaint, random_rbm, random_rows
from deep import BATCH, ROWS, bits, random_dbm, stack
from gaussian import random_gaussian, real_rows
from general import random_general

from ebmbench import estimators
from ebmbench.kernels.api import load
from ebmbench.models.storage import save_model
from ebmbench.training.adam import Adam
from ebmbench.training.ascent import Diverged
from ebmbench.training.checkpoint import Checkpoint
from ebmbench.training.fit import Fit
from ebmbench.training.initial import initial_network
from ebmbench.training.joint import Joint, Phases
from ebmbench.training.pretrained import Pretrained
from ebmbench.training.sgd import SGD
from ebmbench.training.supervised import Supervised

pytestmark = pytest.mark.usefixtures("one_thread")

BINARY, REAL = random_rbm(6, 4, seed=4, scale=0.5), random_gaussian(6, 4, seed=4, scale=0.3)
SETTINGS = {
    "sml": {"k": 2, "chains": 7}, "parallel_tempering": {"chains": 5, "temperatures": 3},
    "nce": {"ratio": 2}, "pseudolikelihood": {"stochastic": True},
}  # fmt: skip
OPTIMISERS = {"plain": SGD(0.05, 0.5, 0.01, "linear"), "centred": SGD(0.05, 0.9, centred=True)}


def fit_of(k, name, optimiser):
    real = name == "score_matching"
    rows = real_rows(11, 6) if real else ROWS
    settings = SETTINGS.get(name, {"denoising": 0.3} if real else {})
    mask = random_rows(6, 4, seed=9)
    return Fit(k, REAL if real else BINARY, rows, name, settings, optimiser, 6, BATCH, 3, mask=mask)


def network_run(k, optimiser):
    network = initial_network([6, 5, 3], ["relu", "linear"], 1)
    labels = np.arange(11) % 3
    return Supervised(k, network, ROWS, labels, optimiser, 6, BATCH, 3)


def pretrained(k):
    centred = SGD(0.05, 0.9, centred=True)
    return Pretrained(k, ROWS, [5, 4, 3], {}, centred, [1, 2, 1], centred, 2, BATCH, 3, Phases(7, 2))


RUNS = {
    **{f"{name} {how}": (lambda k, name=name, optimiser=optimiser: fit_of(k, name, optimiser))
       for name in estimators.known() for how, optimiser in OPTIMISERS.items()
       if (name, how) != ("score_matching", "centred")},
    "gaussian cd": lambda k: Fit(k, REAL, real_rows(11, 6), "cd", {}, SGD(0.01, 0.9), 6, BATCH, 3),
    "stack": lambda k: stack(k, masks=[None, random_rows(5, 4, seed=8), None]),
    "stack sml": lambda k: stack(k, estimator="sml", settings={"chains": 5}),
    "stack gaussian": lambda k: stack(k, real_rows(11, 6), visible="gaussian", optimiser=SGD(0.01, 0.9)),
    "stack doubled": lambda k: stack(k, doubled=True),
    "joint": lambda k: Joint(
        k, random_dbm(6, 5, 4, 3), ROWS, SGD(0.05, 0.9, centred=True), 6, BATCH, 3, Phases(7, 2)
    ),
    "joint general": lambda k: Joint(
        k, random_general(6, 4), ROWS, SGD(0.05, 0.9, centred=True), 6, BATCH, 3, Phases(7, 2)
    ),
    "pretrained": pretrained,
    "supervised sgd": lambda k: network_run(k, SGD(0.1, 0.9)),
    "supervised adam": lambda k: network_run(k, Adam(0.01)),
}  # fmt: skip


def same_numbers(one, other):
    def equal(x, y):
        return np.array_equal(x, y, equal_nan=x.dtype.kind == "f")

    return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_goes_on_from_its_file_to_the_same_bits(k, tmp_path, name):
    """From before the first update, within an epoch, at its end, over layers, and from the very end.

    What is restored is what was saved, part by part; that it is enough, the end shows.
    """
    whole = RUNS[name](k)
    states = [whole.state()]
    for _ in range(whole.steps):
        whole.advance(1)
        states.append(whole.state())
    for done in (0, 1, 4, 6, 7, 12, whole.steps):
        first, second = RUNS[name](k), RUNS[name](k)
        keeps = Checkpoint(tmp_path / f"{done}.npz", {"name": name})
        assert not keeps.restore(first)
        first.advance(done)
        keeps.save(first)
        assert keeps.restore(second)
        assert second.done == done
        assert same_numbers(second.state(), states[done])
        second.advance(whole.steps - done)
        assert same_numbers(second.state(), states[-1])
        assert (bits(second.model) == bits(whole.model)).all()
        assert _host(second.info) == _host(whole.info)


def _host(info):
    """What a trainer says, without what lies on the device."""
    numbers = {name: x for name, x in info.items() if isinstance(x, float | int)}
    return numbers | {name: x.tolist() for name, x in info.items() if name == "swap_rates"}


def test_every_estimator_keeps_its_state_or_has_none(k):
    for name, module in estimators.known().items():
        fit = fit_of(k, name, SGD(0.05))
        if fit._memory is not None:
            assert module.saved(k, fit._memory)
            assert callable(module.restored)


# --- files --------------------------------------------------------------------------------------


@pytest.fixture
def kept(k, tmp_path):
    """A stack's checkpoint after 8 updates, its trainer's like, and the file."""
    facts = {"epochs": [2, 3], "data": "abc", "rate": 0.1}
    one, path = stack(k), tmp_path / "run.npz"
    one.advance(8)
    Checkpoint(path, facts).save(one)
    return facts, stack(k), path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rate": 0.2}, "rate is 0.1, not 0.2"),
        ({"epochs": [2, 4]}, "epochs is [2, 3], not [2, 4]"),
        ({"seed": 1}, "seed is missing, not 1"),
        ({"data": None}, 'data is "abc", not null'),
    ],
)
def test_another_runs_checkpoint_is_refused_with_what_differs(kept, change, words):
    facts, other, path = kept
    before, state = path.read_bytes(), other.state()
    said = complaint(Checkpoint(path, facts | change).restore, other)
    assert said == f"{path}: it is the checkpoint of another run: {words}"
    assert path.read_bytes() == before
    assert same_numbers(other.state(), state)
    assert Checkpoint(path, facts).restore(other)


def test_facts_that_are_no_longer_there_are_named(kept):
    facts, other, path = kept
    del facts["rate"]
    assert "rate is 0.1, not missing" in complaint(Checkpoint(path, facts).restore, other)


def test_a_damaged_checkpoint_is_one_sentence(kept, tmp_path):
    facts, other, path = kept
    whole, state = path.read_bytes(), other.state()
    damaged = tmp_path / "damaged.npz"
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        damaged.write_bytes(whole[:size])
        assert "damaged.npz" in complaint(Checkpoint(damaged, facts).restore, other)
    middle = len(whole) // 3
    damaged.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    assert "damaged.npz" in complaint(Checkpoint(damaged, facts).restore, other)
    assert same_numbers(other.state(), state)
    save_model(damaged, BINARY, {})
    assert "it is no checkpoint" in complaint(Checkpoint(damaged, facts).restore, other)
    np.savez(damaged, x=np.zeros(3))
    assert "it is no checkpoint" in complaint(Checkpoint(damaged, facts).restore, other)
    assert "folder" in complaint(Checkpoint(tmp_path, facts).restore, other)


def test_a_state_of_another_model_is_refused(k):
    """Even where nobody compared facts."""
    state = stack(k).state()
    assert "shape" in complaint(stack(k, hidden=[4, 4, 3]).restore, state)
    fit = fit_of(k, "sml", SGD(0.05))
    words = complaint(fit.restore, {x: y for x, y in fit.state().items() if "estimator" not in x})
    assert words == "the state holds no estimator: it is of another run"
    centred = fit_of(k, "sml", OPTIMISERS["centred"])
    assert "no offsets" in complaint(centred.restore, fit.state())
    wider = Fit(k, BINARY, ROWS, "sml", {"chains": 8}, SGD(0.05), 6, BATCH, 3)
    assert "the chains must have the shape (8, 6)" in complaint(wider.restore, fit.state())


def test_a_diverged_run_leaves_its_last_good_checkpoint(k, tmp_path):
    keeps = Checkpoint(tmp_path / "run.npz", {})
    one = stack(k, optimiser=[SGD(0.1), SGD(1e30), SGD(0.1)], epochs=100)
    one.advance(300)
    keeps.save(one)
    before = keeps.path.read_bytes()
    with pytest.raises(Diverged):
        one.advance(300)
    with pytest.raises(Diverged, match="layer 2 of 3"):
        keeps.save(one)
    assert keeps.path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]


def test_a_checkpoint_that_cannot_be_written_is_one_sentence(k, tmp_path):
    assert "cannot write" in complaint(Checkpoint(tmp_path / "no" / "run.npz", {}).save, stack(k))


# --- killed -------------------------------------------------------------------------------------

KILLED = """if True:
    import sys
    from pathlib import Path
    from test_checkpoint import long_run
    from ebmbench.training.checkpoint import Checkpoint
    run, keeps = long_run(), Checkpoint(Path(sys.argv[1]), {"run": 1})
    keeps.restore(run)
    print(run.done, flush=True)
    while run.done < run.steps:
        run.advance(1)
        keeps.save(run)
"""


def long_run():
    centred = SGD(0.05, 0.9, centred=True)
    stacked = [5, 4, 3], {}, centred, [8, 8, 8]
    return Pretrained(load("reference"), ROWS, *stacked, centred, 100, BATCH, 3, Phases(7, 2))


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path):
    """SIGKILL whenever it comes, most often while a file is written, since little else is done."""
    path = tmp_path / "run.npz"
    command = [sys.executable, "-c", KILLED, str(path)]
    folder = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, *sys.path])}
    starts = []
    for attempt in range(5):
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
            starts.append(int(child.stdout.readline()))
            time.sleep(0.03 + 0.017 * attempt)
            child.send_signal(signal.SIGKILL)
    whole, last = long_run(), long_run()
    assert Checkpoint(path, {"run": 1}).restore(last)
    assert starts == sorted(starts)
    assert 0 < last.done < last.steps
    whole.advance(whole.steps)
    last.advance(last.steps - last.done)
    assert same_numbers(last.state(), whole.state())
