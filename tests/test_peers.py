"""Peers: found by their files, refused with a reason, and doing the job that they are timed on."""

import importlib.util
from dataclasses import replace
from time import sleep

import numpy as np
import pytest
from conftest import complaint

from ebmbench import peers
from ebmbench.errors import Unavailable
from ebmbench.harness import conformance, made_up, pursuit, subject
from ebmbench.harness.gate import Red
from ebmbench.harness.jobs import JOBS
from ebmbench.models.rbm import RBM, hidden_probability, visible_probability
from ebmbench.peers import Place, Rule, Work, _torch
from ebmbench.peers._ising import halves, heard, whole
from ebmbench.scalar import ACTIVATIONS

CPU = Place("cpu", "float32")
ON_CPU = [name for name, module in peers.known().items() if "cpu" in module.DEVICES]
# torch.compile takes up to a minute a job, so it is tried on one.
QUICK = [name for name in ON_CPU if name != "torch_compiled"]
SMALL = {
    "gibbs": {"chains": 200, "sweeps": 3},
    "restore": {"rows": 200, "sweeps": 30},
    "ising": {"side": 8, "chains": 200, "sweeps": 3},
    "pseudolikelihood": {"rows": 7},
    "ratio_matching": {"rows": 7},
    "sml": {"rows": 90, "batch": 20},
    "cd": {"rows": 90, "batch": 20, "k": 3},
    "ais": {"chains": 100, "betas": 20},
    "mlp": {"rows": 90, "batch": 20, "hidden": [33, 7]},
    "gan": {"rows": 90, "batch": 20, "latent": 5, "generator": [33], "discriminator": [7, 9]},
    "dbn": {"rows": 90, "batch": 20, "hidden": [33, 7, 9]},
    "dbm": {"rows": 90, "batch": 20, "hidden": [33, 7, 9], "chains": 30, "sweeps": 2, "mean_field": 3},
}
PAIRS = [(name, job) for name in QUICK for job in SMALL if job in peers.known()[name].JOBS]
SUBJECT = subject.load("", "", 31, 17)
MODEL = SUBJECT.model


def peer(name, place=CPU):
    try:
        return peers.load(name, place)
    except Unavailable as reason:
        pytest.skip(str(reason))


def conforms(name, job):
    one, config = peer(name), JOBS[job](**SMALL[job])
    given = config.load("", "", 31, 17)
    config.check_peer(one, given)
    work = config.theirs(one, given)
    config.check(name, given, work, "float32")
    return work


def test_every_file_is_found():
    assert set(peers.known()) == {
        "numpy", "torch_eager", "torch_graph", "torch_compiled", "cupy", "scikit_learn", "jax", "rbms",
        "learnergy", "thrml",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "job"), PAIRS)
def test_a_peer_does_its_jobs(name, job):
    conforms(name, job)


@pytest.mark.parametrize(
    ("name", "job", "changes"),
    [
        *(("torch_eager", "mlp", {"optimiser": "sgd", "activation": a}) for a in ACTIVATIONS[1:]),
        *(
            ("numpy", "mlp", {"optimiser": o, "activation": a})
            for o in ("sgd", "adam")
            for a in ACTIVATIONS[1:]
        ),
        ("torch_eager", "gan", {"form": "minimax"}),
        ("torch_eager", "dbn", {"estimator": "sml"}),
        ("torch_eager", "dbm", {"hidden": [9]}),
        ("torch_eager", "dbm", {"mean_field": 1}),
        ("torch_eager", "dbm", {"hidden": [9, 33]}),
    ],
)
def test_a_peer_does_its_jobs_in_every_way(monkeypatch, name, job, changes):
    monkeypatch.setitem(SMALL, job, SMALL[job] | changes)
    conforms(name, job)


def test_both_colours_of_a_torus_are_put_together_again():
    v = np.arange(2 * 4 * 6).reshape(2, 24)
    first, other = halves(v, 4, 6)
    torus = v[0].reshape(4, 6)
    rows, columns = np.indices((4, 6))
    assert set(first[0].ravel()) == set(torus[(rows + columns) % 2 == 0])
    assert (whole(first, other) == v).all()


def test_what_a_colour_hears_are_its_neighbours():
    v = np.random.default_rng(1).integers(0, 2, (3, 24)).astype(float)
    colours, torus = halves(v, 4, 6), v.reshape(3, 4, 6)
    near = sum(np.roll(torus, shift, axis) for shift in (1, -1) for axis in (1, 2))
    odd = np.arange(4)[None, :, None] % 2 == 1
    for n, wanted in enumerate(halves(near.reshape(3, 24), 4, 6)):
        found = heard(np.roll, np.where, odd, colours[1 - n], n == 0)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "fault",
    [
        lambda torus, weight, bias, v, sweeps: (torus, 1.05 * weight, bias, v, sweeps),
        lambda torus, weight, bias, v, sweeps: (torus, weight, bias + 0.2, v, sweeps),
        lambda torus, weight, bias, v, sweeps: (torus, weight, bias, v, sweeps + 1),
        lambda torus, weight, bias, v, sweeps: (torus, weight, bias, 1 - v, sweeps),
        # The other colour begins: rows move on by one.
        lambda torus, weight, bias, v, sweeps: (
            torus, weight, bias, np.roll(v.reshape(-1, *torus), 1, 1).reshape(v.shape), sweeps,
        ),
    ],
)  # fmt: skip
def test_a_peer_that_draws_other_spins_is_red(fault):
    one, config = peer("numpy"), JOBS["ising"](side=8, chains=4000, sweeps=1)
    job = one.jobs["ising"]
    wrong = replace(one, jobs={"ising": lambda place, *given: job(place, *fault(*given))})
    given = config.load("", "", 0, 0)
    config.check_peer(one, given)
    with pytest.raises(Red):
        config.check_peer(wrong, given)


def test_a_last_colour_of_another_law_is_red():
    one, config = peer("numpy"), JOBS["ising"](side=8, chains=4000, sweeps=2)
    given = config.load("", "", 0, 0)
    work = config.theirs(one, given)
    config.check("numpy", given, work, "float32")
    warm = JOBS["ising"](side=8, chains=4000, sweeps=2, coupling=0.4).load("", "", 0, 0)
    with pytest.raises(Red, match="the last colour"):
        config.check("numpy", warm, work, "float32")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"side": 7}, "side of job ising must be even"),
        ({"side": 2}, "side of job ising must be even"),
        ({"chains": 0}, "chains of job ising must be at least 1"),
        ({"coupling": np.inf}, "coupling of job ising must be finite"),
    ],
)
def test_a_torus_that_is_none_is_one_sentence(settings, words):
    assert words in complaint(JOBS["ising"], **settings)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("evidence ignored", "a pixel that is known was drawn"),
        ("known the wrong way round", "a pixel that is known was drawn"),
        ("no bias of the hidden units", "times as far apart"),
        ("the first half counts too", "times as far apart"),
        ("lost", "no probability"),
    ],
)
def test_an_imputation_that_is_wrong_is_seen(monkeypatch, fault, words):
    one, config = peer("numpy"), JOBS["restore"](**SMALL["restore"])
    given = config.load("", "", 31, 17)
    right = peers.known()["numpy"].JOBS["restore"]

    def wrong(place, model, v, evidence, sweeps):
        if fault == "evidence ignored":
            evidence = np.zeros_like(evidence)
        if fault == "known the wrong way round":
            evidence = -evidence
        if fault == "no bias of the hidden units":
            model = replace(model, c=np.zeros_like(model.c))
        made = right(place, model, v, evidence, sweeps)
        if fault == "the first half counts too":  # where they start, which base rates alone decide
            return made._replace(result=lambda: {"means": (made.result()["means"] + v) / 2})
        if fault == "lost":
            return made._replace(result=lambda: {"means": np.full(v.shape, np.nan)})
        return made

    monkeypatch.setitem(peers.known()["numpy"].JOBS, "restore", wrong)
    with pytest.raises(Red, match=words):
        config.check_peer(one, given)


@pytest.mark.parametrize("name", ["torch_eager", "jax"])
@pytest.mark.parametrize("job", ["gibbs", "restore", "ising"])
def test_a_peer_in_bfloat16_samples(name, job):
    one, config = peer(name, Place("cpu", "bfloat16")), JOBS[job](**SMALL[job])
    given = config.load("", "", 31, 17)
    config.check_peer(one, given)


@pytest.mark.parametrize("name", ["torch_eager", "jax"])
def test_a_peer_does_not_anneal_in_bfloat16(name):
    one, config = peer(name, Place("cpu", "bfloat16")), JOBS["ais"](**SMALL["ais"])
    assert complaint(config.check_peer, one, SUBJECT).endswith("in float32, not in bfloat16")


def test_of_a_peers_settings_the_fastest_are_kept(monkeypatch):
    one, took = peer("numpy"), {("a", 1): 0.02, ("a", 2): 0.03, ("b", 1): 0.001, ("b", 2): 0.02}
    tried = []

    def start(peer):
        way = tuple(peer.settings.values())
        tried.append(way)
        return Work(lambda: sleep(took[way]), lambda: None, dict)

    choices = {"rng": ("a", "b"), "unroll": (1, 2)}
    monkeypatch.setattr(peers.known()["numpy"], "settings", lambda place: choices, raising=False)
    assert peers.tuned(one, start).settings == {"rng": "b", "unroll": 1}
    assert tried == list(took)
    assert peers.load("numpy", CPU).settings == {"rng": "a", "unroll": 1}


def test_threads_of_torch_are_set_while_a_piece_runs_and_no_longer():
    one = peer("torch_eager")
    torch = pytest.importorskip("torch")
    all_threads, seen = torch.get_num_threads(), []
    build = lambda place: Work(lambda: seen.append(torch.get_num_threads()), lambda: None, dict)  # noqa: E731
    made = _torch.threaded({"job": build})["job"](one.place, threads=1)
    made.run()
    assert seen == [1]
    assert torch.get_num_threads() == all_threads


def test_torch_compiled_samples():
    try:
        conforms("torch_compiled", "gibbs")
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_what_torch_cannot_compile_is_unavailable_with_the_reason(monkeypatch):
    one = peer("torch_compiled")
    torch = pytest.importorskip("torch")

    def refuse(step, **options):
        def run():
            raise RuntimeError("no\ncompiler")

        return run

    monkeypatch.setattr(torch, "compile", refuse)
    config = JOBS["gibbs"](**SMALL["gibbs"])
    assert complaint(config.check_peer, one, SUBJECT).endswith("RuntimeError: no compiler")


def test_an_epoch_is_all_its_updates():
    """From the same numbers, 4 updates in one piece are 2 pieces of 2."""
    rows = made_up.rows(80, 31)
    found = []
    for pieces, updates in ((1, 4), (2, 2), (1, 3)):
        work = peer("numpy").start("sml", MODEL, rows, rows[:20], 20, updates, 0.1, 0.5)
        for _ in range(pieces):
            work.run()
        found.append(work.result())
    for name in ("W", "b", "c"):
        np.testing.assert_array_equal(found[0][name], found[1][name])
        assert np.abs(found[0][name] - found[2][name]).max() > 1e-4


def test_an_update_has_momentum():
    """Updates by hand from the batches and chains that were used; each rounds parameters of up to 8."""
    rows = made_up.rows(80, 31)
    work = peer("numpy").start("sml", MODEL, rows, rows[:20], 20, 1, 0.1, 0.5)
    wanted = {name: getattr(MODEL, name) for name in ("W", "b", "c")}
    speed = dict.fromkeys(wanted, 0.0)
    for update in range(1, 4):
        work.run()
        found = work.result()
        v = {side: found[side] for side in ("batch", "chains")}
        p = {side: hidden_probability(RBM(**wanted), x) for side, x in v.items()}
        means = {side: (v[side].T @ p[side] / 20, v[side].mean(0), p[side].mean(0)) for side in v}
        for place, name in enumerate(wanted):
            contrast = means["batch"][place] - means["chains"][place]
            speed[name] = 0.5 * speed[name] + 0.1 * contrast
            wanted[name] = wanted[name] + speed[name]
            np.testing.assert_allclose(found[name], wanted[name], rtol=0, atol=update * 2**-20)


@pytest.mark.parametrize(
    ("name", "place", "said"),
    [
        ("numpy", Place("cuda", "float32"), "runs on cpu, not on cuda"),
        ("cupy", Place("cpu", "float32"), "runs on cuda, not on cpu"),
        ("torch_graph", Place("cpu", "float32"), "runs on cuda"),
        ("numpyy", CPU, "did you mean 'numpy'"),
        ("numpy", Place("cpu", "bfloat16"), "'bfloat16'"),
    ],
)
def test_what_a_peer_cannot_do_is_one_sentence(name, place, said):
    assert said in complaint(peers.load, name, place)


def test_a_peer_that_is_not_installed_names_its_package(monkeypatch):
    monkeypatch.setattr(peers.known()["torch_eager"], "PACKAGE", "no_such_torch")
    assert complaint(peers.load, "torch_eager", CPU).endswith("needs the package no_such_torch")


def test_a_peer_without_the_job_says_so():
    if importlib.util.find_spec("sklearn"):
        assert "has no cd" in complaint(peer("scikit_learn").start, "cd", MODEL)


# Conformance: what is wrong is seen. A right sampler fails once in a million checks.


def states(p, seed=0):
    return (np.random.default_rng(seed).random(p.shape) < p).astype(float)


def test_draws_from_the_law_pass_and_others_do_not():
    model = made_up.model(200, 120)  # large enough for h to say much about v
    v = made_up.rows(200, 200).astype(float)
    h = states(hidden_probability(model, v))
    found = {"h": h, "v": states(visible_probability(model, h), 1)}
    conformance.check_first_sweep("x", model, v, found, "float32")
    without_bias = RBM(model.W, 0 * model.b, model.c)
    wrong = {
        "bias": found | {"v": states(visible_probability(without_bias, h))},
        "sign": found | {"v": states(visible_probability(RBM(-model.W, model.b, model.c), h))},
        "identity": found | {"v": v},
        "inverted": found | {"v": 1 - found["v"]},
        "grey": found | {"v": visible_probability(model, h)},
        "hidden": found | {"h": states(hidden_probability(model, v) ** 2)},
        "nan": found | {"v": found["v"] * np.nan},
    }
    for name, faulty in wrong.items():
        with pytest.raises(Red, match=r"x .*(given|law)"):
            conformance.check_first_sweep("x", model, v, faulty, "float32")
        assert name


def test_a_wrong_gradient_is_red():
    work = peer("numpy").start("ratio_matching", MODEL, made_up.rows(7, 31))
    work.run()
    found = work.result()
    check = conformance.check_gradient
    check("x", "ratio_matching", MODEL, made_up.rows(7, 31), found)
    for name in ("value", "W", "b", "c"):
        faulty = found | {name: found[name] * 1.01 + 0.01}
        with pytest.raises(Red, match=name):
            check("x", "ratio_matching", MODEL, made_up.rows(7, 31), faulty)


@pytest.mark.parametrize("name", ["numpy", "scikit_learn"])
def test_a_wrong_update_is_red(name):
    one, rows = peer(name), made_up.rows(90, 31)

    def update(rate, scale=1.0):
        work = one.start("sml", MODEL, rows, rows[:20], 20, 1, rate * scale, 0.0)
        work.run()
        return work.result()

    conformance.check_update("x", "sml", MODEL, update, "float32", 20)
    with pytest.raises(Red, match="SML"):
        conformance.check_update("x", "sml", MODEL, lambda rate: update(rate, 1.13), "float32", 20)
    with pytest.raises(Red, match="SML"):
        conformance.check_update("x", "sml", MODEL, lambda rate: update(rate, 1e-9), "float32", 20)


def faulty(job, change, **changes):
    """A peer of torch whose results of a job are changed, and what it is checked on."""
    one, config = peer("torch_eager"), JOBS[job](**(SMALL[job] | changes))
    build = one.jobs[job]

    def built(place, *given, **settings):
        made = build(place, *given, **settings)
        return made._replace(result=lambda: change(made.result()))

    return replace(one, jobs={job: built}), config


def moved(name, by):
    return lambda found: found | {name: found[name] * (1 + by)}


@pytest.mark.parametrize(
    ("job", "change"),
    [
        *(("mlp", moved(name, 1e-3)) for name in ("W1", "c1", "W3")),
        ("mlp", lambda found: found | {"batch": found["batch"][::-1]}),
        ("mlp", lambda found: found | {"targets": np.roll(found["targets"], 1, axis=1)}),
        *(("gan", moved(name, 1e-2)) for name in ("GW1", "Gc2", "DW1", "DW3")),
        ("gan", lambda found: found | {"z_generator": found["z_discriminator"]}),
        ("dbm", moved("W1", 1e-3)),
        ("dbm", moved("W3", 1e-3)),
        ("dbm", lambda found: found | {"means": found["means"] ** 1.01}),
        ("dbm", lambda found: found | {"chains": 1 - found["chains"]}),
        *(("dbn", moved(name, 1e-3)) for name in ("W1", "b2", "c3")),
    ],
)
def test_what_is_wrong_of_a_deep_models_update_is_seen(job, change):
    one, config = faulty(job, change)
    with pytest.raises(Red, match="peer torch_eager"):
        config.check_peer(one, config.load("", "", 31, 17))


@pytest.mark.parametrize(
    ("job", "name", "sizes"),
    [
        ("dbm", "h", {"hidden": [300, 100], "chains": 300}),
        ("dbn", "given2", {"hidden": [300, 20], "rows": 600, "batch": 300}),
    ],
)
def test_states_that_others_were_not_drawn_from_are_seen(job, name, sizes):
    """On models that are large enough for them to say much."""
    one, config = faulty(job, lambda found: found | {name: 1 - found[name]}, **sizes)
    with pytest.raises(Red, match="does not draw from the conditional law"):
        config.check_peer(one, config.load("", "", 200, 17))


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_a_rule_that_is_not_the_one_that_was_asked_for_is_seen(rule):
    """A momentum or a decay of moments that differs shows from the second update on."""
    one, config = peer("torch_eager"), JOBS["mlp"](**SMALL["mlp"], optimiser=rule)
    given = config.load("", "", 31, 17)
    right = pursuit.fast(Rule(rule, 1.0, 0.5))
    for wrong in ({"rate": 1.01 * right.rate}, {"momentum": 0.51} if rule == "sgd" else {"beta1": 0.91},
                  {"momentum": 0.49} if rule == "sgd" else {"beta2": 0.9}):  # fmt: skip
        work = config._theirs(one, given, 1, right._replace(**wrong))
        with pytest.raises(Red, match="peer torch_eager"):
            pursuit.check_classifier(one, given.model, right, work)
    pursuit.check_classifier(one, given.model, right, config._theirs(one, given, 1, right))


@pytest.mark.parametrize("job", ["mlp", "gan", "dbn", "dbm"])
def test_a_deep_models_epoch_is_all_its_updates(job):
    """From the same numbers, 4 updates in one piece are 2 pieces of 2, and not 3 updates."""
    one, found = peer("torch_eager"), []
    rule = pursuit.fast(Rule("adam", 1.0)) if job in ("mlp", "gan") else None
    # Layers of a stack share a stream of random numbers, whose order the pieces decide.
    config = JOBS[job](**SMALL[job] | ({"hidden": [33]} if job == "dbn" else {}))
    given = config.load("", "", 31, 17)
    for pieces, updates in ((1, 4), (2, 2), (1, 3)):
        work = config._theirs(one, given, updates, *([rule] if rule else [0.1, 0.5]))
        for _ in range(pieces):
            work.run()
        found.append(work.result())
    name = "GW1" if job == "gan" else "W1"
    np.testing.assert_array_equal(found[0][name], found[1][name])
    assert np.abs(found[0][name] - found[2][name]).max() > 1e-5


def test_parameters_in_bfloat16_cannot_be_followed():
    one, config = peer("torch_eager", Place("cpu", "bfloat16")), JOBS["mlp"](**SMALL["mlp"])
    assert "bfloat16" in complaint(config.check_peer, one, config.load("", "", 31, 17))


def test_a_peer_that_is_wrong_is_never_timed(tmp_path, monkeypatch):
    from test_speed import KERNEL, run_one

    def silent(place, model, v, sweeps):
        found = {"v": v.astype(float), "h": np.zeros((len(v), model.n_hidden))}
        return Work(lambda: None, lambda: None, lambda: found)

    monkeypatch.setitem(peers.known()["numpy"].JOBS, "gibbs", silent)
    row = run_one(tmp_path, KERNEL)
    assert row["status"] == "red"
    assert "peer numpy" in row["reason"]
    assert "ratio" not in row
