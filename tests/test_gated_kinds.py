"""A case computes with nothing but the kinds of models that the gate has looked at before it."""

from dataclasses import replace

import pytest

from ebmbench.harness import gate
from ebmbench.harness import run as harness
from ebmbench.harness.spec import Suite
from ebmbench.harness.tasks import consistency, gradient, kernel, log_z, sample, train
from ebmbench.kernels import api
from ebmbench.kernels.api import load

ON = {"backend": "reference"}
FIT = {**ON, "dataset": "bars_and_stripes", "epochs": 2, "batch_size": 10, "checkpoints": 2}
FEW = FIT | {"betas": 5}
GRID = {"lattice": [3, 3], "coupling": 0.3, "field": 0.1}
SMALL = {"random": [5, 4]}
ESTIMATORS = ("cd", "sml", "parallel_tempering", "pseudolikelihood", "ratio_matching", "nce", "exact")
CASES = [
    *(
        train.Case(**FEW, estimator={"name": name}, family=family, resolve=True)
        for family in ("rbm", "boltzmann_machine", "markov_field")
        for name in ESTIMATORS
        if (family, name) != ("boltzmann_machine", "exact")
    ),
    *(
        train.Case(**FIT, estimator={"name": name}, family="bayes_net", evaluate="exact")
        for name in ("cd", "exact")
    ),
    train.Case(**FEW, estimator={"name": "score_matching"}, visible="gaussian", hidden=3),
    *(
        consistency.Case(**ON, family=family, estimator={"name": name}, n=20, updates=3)
        for family in ("rbm", "boltzmann_machine", "markov_field")
        for name in ("exact", "nce")
    ),
    gradient.Case(**ON, model=SMALL, estimator={"name": "nce"}, rows=10, replicates=4),
    *(
        log_z.Case(**ON, model=model, method={"name": "bridge", "betas": 5, "chains": 10})
        for model in (SMALL, GRID)
    ),
    *(
        sample.Case(**ON, model=model, sampler=sampler, chains=4, sweeps=6, burn_in=2)
        for model in (SMALL, GRID)
        for sampler in ("gibbs", {"name": "parallel_tempering", "temperatures": 3})
    ),
    *(
        kernel.Case(**ON, job=job, turns=2, n_visible=9, n_hidden=7)
        for job in (
            {"name": "ising", "side": 4, "chains": 50, "sweeps": 2},
            {"name": "gibbs", "chains": 50, "sweeps": 2},
            {"name": "ais", "chains": 20, "betas": 4},
            {"name": "sml", "rows": 20, "batch": 10},
            {"name": "dbm", "rows": 20, "batch": 10, "hidden": [4, 3], "chains": 5, "sweeps": 2},
        )
    ),
]


def name_of(case):
    return case.heading.replace(" ", "_")


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_all_other_kinds_may_be_missing(tmp_path, monkeypatch, case):
    k, asked = load("reference"), set()

    def demand(name, kinds=gate.KINDS):
        asked.update(kinds)
        return 0.0

    def restricted(name):
        return replace(k, jobs={key: job for key, job in k.jobs.items() if key[1] in asked})

    monkeypatch.setattr(gate, "demand", demand)
    monkeypatch.setattr(api, "load", restricted)
    monkeypatch.setattr("ebmbench.harness.jobs._sampling.load", restricted)
    asked.update(case.kinds)
    (row,) = harness.run(Suite("tiny", "Tiny", True, (case,)), tmp_path)
    assert row["status"] == "done", row.get("traceback", row["reason"])
    assert asked < set(gate.KINDS)
    if case.task == "log_z":
        assert row["error"] is not None
        assert row["truth_source"] == ("elimination" if case.model is GRID else "enumeration")
    if case.task == "sample" and case.model is GRID:
        assert row["total_variation"] < 1.0
    if case.task == "kernel":
        assert (row["draws_per_ns"] is not None) == (case.job["name"] == "ising")
        assert row["n_visible"] == (16 if case.job["name"] == "ising" else 9)


@pytest.mark.parametrize("task", [gradient, kernel])
def test_a_lattice_is_refused_where_an_rbm_is_needed(task):
    from conftest import complaint

    more = {"estimator": {"name": "cd"}} if task is gradient else {"job": {"name": "gibbs"}}
    assert "a lattice is no RBM" in complaint(task.Case, **ON, model=GRID, **more)
