"""What cases are called while they run."""

from dataclasses import replace

from ebmbench.harness import spec
from ebmbench.harness.naming import names
from ebmbench.harness.tasks import log_z, train

CASE = train.Case(
    timeout_s=1.0, backend="cpu", dataset="digits", estimator={"name": "cd", "k": 1}, hidden=16
)


def test_cases_that_differ_in_the_seed_are_told_apart_by_it():
    assert names([CASE, replace(CASE, seed=1)]) == [
        f"digits CD-1, 16 hidden, on cpu, seed {seed}" for seed in (0, 1)
    ]


def test_the_first_settings_that_tell_them_apart_are_named():
    """Also of a table, by its name and the setting's; of a grid both axes."""
    grid = [replace(CASE, rate=rate, batch_size=size) for rate in (0.1, 0.2) for size in (10, 20)]
    assert names(grid) == [
        f"digits CD-1, 16 hidden, batch size {size}, rate {rate}, on cpu, seed 0"
        for rate in (0.1, 0.2) for size in (10, 20)
    ]  # fmt: skip
    sml = [replace(CASE, estimator={"name": "sml", "chains": n}, rate=n / 100) for n in (10, 20)]
    expected = [f"digits SML-1, 16 hidden, estimator chains {n}, on cpu, seed 0" for n in (10, 20)]
    assert names(sml) == expected
    assert names([CASE, *sml])[1:] == expected


def test_a_setting_of_a_table_may_be_called_seed():
    given = {"timeout_s": 1.0, "backend": "cpu", "method": {"name": "ais"}, "dataset": "digits"}
    models = [{"lattice": [4, 4], "disorder": 1.0, "seed": seed} for seed in (1, 2)]
    assert len(set(names([log_z.Case(model=model, **given) for model in models]))) == 2


def test_each_case_of_each_suite_has_its_own_name():
    for suite in spec.known_suites():
        found = names(spec.load(suite).cases)
        assert len(set(found)) == len(found), suite
