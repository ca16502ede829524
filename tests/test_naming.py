"""What cases are called while they run."""

from dataclasses import replace

from ebmbench.harness import spec
from ebmbench.harness.naming import names
from ebmbench.harness.tasks import train

CASE = train.Case(
    timeout_s=1.0, backend="cpu", dataset="digits", estimator={"name": "cd", "k": 1}, hidden=16
)


def test_cases_that_differ_in_the_seed_are_told_apart_by_it():
    assert names([CASE, replace(CASE, seed=1)]) == [
        f"digits CD-1, 16 hidden, on cpu, seed {seed}" for seed in (0, 1)
    ]


def test_as_few_settings_as_tell_them_apart_are_named():
    """Also of a table, by its name and the setting's; of a grid both axes."""
    grid = [replace(CASE, rate=rate, batch_size=size) for rate in (0.1, 0.2) for size in (10, 20)]
    assert names(grid) == [
        f"digits CD-1, 16 hidden, batch size {size}, rate {rate}, on cpu, seed 0"
        for rate in (0.1, 0.2) for size in (10, 20)
    ]  # fmt: skip
    sml = [replace(CASE, estimator={"name": "sml", "chains": n}, rate=n / 100) for n in (10, 20)]
    assert [name.split(", ")[2] for name in names(sml)] == ["estimator chains 10", "estimator chains 20"]
    assert len({name.split(" on ")[0] for name in names([CASE, *sml])}) == 3


def test_each_case_of_each_suite_has_its_own_name():
    for suite in spec.known_suites():
        found = names(spec.load(suite).cases)
        assert len(set(found)) == len(found), suite
