"""Suites: from TOML to frozen cases, and what is refused."""

from dataclasses import replace

import pytest

from ebmbench.errors import UserError
from ebmbench.harness import spec

SUITE = """
title = "T"
seeds = 2
timeout_s = 5

[[train]]
dataset = "bars_and_stripes"
backend = ["reference", "cpu"]
estimator = [{ name = "cd", k = 1 }, { name = "sml" }]
hidden = [3, 4]
evaluate = "exact"
"""


@pytest.fixture
def suite(tmp_path):
    """Writes a suite's text into a file; returns what `load` makes of it."""

    def load(text, **arguments):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return spec.load(str(path), **arguments)

    return load


def test_every_combination_is_a_case(suite):
    found = suite(SUITE)
    assert (found.name, found.title, found.indicative) == ("mine", "T", False)
    assert len(found.cases) == 2 * 2 * 2 * 2
    assert len({case.canonical() for case in found.cases}) == 16
    assert {case.timeout_s for case in found.cases} == {5}
    assert {case.label for case in found.cases} == {"CD-1", "SML-1"}


def test_a_backend_runs_where_tables_name_it_or_else_everywhere(suite):
    table = SUITE[SUITE.index("[[train]]") :]
    one = SUITE.replace('["reference", "cpu"]', '"cpu"')
    both = one + table.replace('["reference", "cpu"]', '"reference"').replace("[3, 4]", "[5, 6, 7]")
    found = {name: suite(both, backends=[name, name], seeds=1).cases for name in ("cpu", "reference")}
    assert {name: len(cases) for name, cases in found.items()} == {"cpu": 4, "reference": 6}
    assert all(case.backend == name for name, cases in found.items() for case in cases)
    assert [case.backend for case in suite(both, backends=["cuda"], seeds=1).cases] == ["cuda"] * 10


def test_backends_alternate_and_every_other_seed_runs_backwards(suite):
    cases = suite(SUITE).cases
    assert [case.backend for case in cases[:4]] == ["reference", "cpu"] * 2
    assert [case.seed for case in cases] == [0] * 8 + [1] * 8

    def facts(case):
        return case.backend, case.label, case.hidden

    assert [facts(c) for c in cases[8:]] == [facts(c) for c in cases[:8]][::-1]


def test_tables_of_any_task_stand_side_by_side(suite):
    model = '[[log_z]]\nmodel = "digits_rbm20"\nbackend = "cpu"\nmethod = { name = "exact" }\n'
    cases = suite(SUITE + model).cases
    assert [case.task for case in cases] == ["train"] * 16 + ["log_z"] * 2
    assert {case.task for case in suite(SUITE + model, dataset="digits").cases} == {"train"}
    with pytest.raises(UserError, match="trains on a data set that digits could replace"):
        suite(model, dataset="digits")


def test_a_list_is_one_value_where_the_field_is_a_list(suite):
    one = suite(change("hidden = [3, 4]", "hidden = 3\ntargets = [-3, -2.5]")).cases
    assert len(one) == 8
    assert {tuple(case.targets) for case in one} == {(-3, -2.5)}
    two = suite(change("hidden = [3, 4]", "hidden = 3\ntargets = [[-3], [-2]]")).cases
    assert {tuple(case.targets) for case in two} == {(-3,), (-2,)}


def test_the_command_line_replaces_axes(suite):
    cases = suite(SUITE, backends=["cpu"], dataset="digits", seeds=3).cases
    assert {(case.backend, case.dataset) for case in cases} == {("cpu", "digits")}
    assert {case.seed for case in cases} == {0, 1, 2}


def test_ones_own_data_take_the_place_of_digits_or_of_the_first(suite):
    table = SUITE[SUITE.index("[[train]]") :].replace("[3, 4]", "[5, 6, 7]")
    bars, named = 'dataset = "bars_and_stripes"', 'dataset = ["mnist", "digits"]'
    made = {
        "digits": SUITE + table.replace(bars, named),
        "bars_and_stripes": SUITE + table.replace(bars, 'dataset = ["bars_and_stripes", "mnist"]'),
    }
    for name, text in made.items():
        found, its = (suite(text, dataset=one, seeds=1) for one in ("labelled_shifter", name))
        assert (found.instead_of, its.instead_of) == (name, "")
        assert [replace(case, dataset=name) for case in found.cases] == list(its.cases)
        assert {case.dataset for case in found.cases} == {"labelled_shifter"}


def test_what_is_only_timed_has_no_seeds(suite):
    kernel = '[[kernel]]\nbackend = "cpu"\njob = { name = "gibbs" }\n'
    cases = suite(SUITE + kernel, seeds=3).cases
    assert [case.seed for case in cases if case.task == "kernel"] == [0]
    assert {case.seed for case in cases if case.task == "train"} == {0, 1, 2}


def test_a_name_stands_for_a_table_without_settings(suite):
    short, long = (suite(text).cases for text in (change('{ name = "sml" }', '"sml"'), SUITE))
    assert [case.canonical() for case in short] == [case.canonical() for case in long]


@pytest.mark.parametrize("name", spec.known_suites())
def test_the_suites_that_come_along_are_sound(name):
    assert spec.load(name).cases


def change(old, new):
    assert old in SUITE
    return SUITE.replace(old, new)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "train"),
        ("title = ", "TOML"),
        (change("seeds = 2", "seeds = 0"), "seeds"),
        (change("seeds = 2", "seeds = '2'"), "whole number"),
        (change("seeds = 2", "seed = 2"), "'seed'"),
        (change('dataset = "bars_and_stripes"', ""), "dataset"),
        (change("hidden = [3, 4]", "hidden = [3, 3]"), "same"),
        (change("hidden = [3, 4]", "hidden = 0"), "hidden"),
        (change("hidden = [3, 4]", "hiden = 3"), "'hiden'"),
        (change("hidden = [3, 4]", "hidden = 2.5"), "hidden"),
        (change("hidden = [3, 4]", "rate = -1"), "learning rate"),
        (change("hidden = [3, 4]", "batch_size = 0"), "batch_size"),
        (change("hidden = [3, 4]", "targets = -3"), "targets"),
        (change("hidden = [3, 4]", "targets = ['a']"), "targets"),
        (change("hidden = [3, 4]", "targets = [nan]"), "targets"),
        (SUITE + "[[trian]]", "'trian'"),
        ("train = 3", "table"),
        (change('"bars_and_stripes"', '"bars"'), "'bars'"),
        (change('"bars_and_stripes"', '"no_such.npz"'), "no_such.npz"),
        (change('"cpu"]', '"gpu"]'), "'gpu'"),
        (change("hidden = [3, 4]", "hidden = []"), r"hidden of a \[\[train\]\] table is an empty list"),
        (change("hidden = [3, 4]", "hidden = [3, 3]"), "3 hidden on reference, seed 0, is there twice"),
        ("indicative = 'yes'" + SUITE, "indicative"),
        (change("k = 1", "k = 0"), "k of estimator cd"),
        (change("k = 1", "q = 1"), "'q'"),
        (change('name = "sml"', 'name = "smm"'), "'smm'"),
        (change('{ name = "sml" }', '"smm"'), "'smm'"),
        (change('{ name = "sml" }', "3"), "estimator"),
        (change('evaluate = "exact"', 'evaluate = "exact"\nbetas = 500'), "those of evaluate = 'ais'"),
        (change('evaluate = "exact"', 'evaluate = "exact"\nchains = 5'), "those of evaluate = 'ais'"),
        (change('evaluate = "exact"', 'evaluate = "exat"'), "'exat'"),
        (change('evaluate = "exact"', 'evaluate = "ais"\nbetas = 1'), "temperatures"),
        (change('evaluate = "exact"', 'evaluate = "ais"\nbetas = "papr"'), "betas"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_it(suite, text, named):
    with pytest.raises(UserError, match=named) as error:
        suite(text)
    assert "mine.toml" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_an_unknown_suite_names_those_there_are():
    with pytest.raises(UserError, match="quick"):
        spec.load("quik")
