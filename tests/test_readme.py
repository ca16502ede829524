"""README and docs: examples run, commands parse, links lead somewhere, figures are those of reports."""

import itertools
import json
import re
import shlex
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import typer

from ebmbench import estimators, partition
from ebmbench.cli.app import app
from ebmbench.harness import run, spec, tasks
from ebmbench.harness.parts import PARTS

README = Path(__file__).parent.parent / "README.md"
DOCS = {page.name: page for page in [README, *sorted((README.parent / "docs").glob("*.md"))]}


def blocks(page, language, mark=""):
    """The blocks of code of a page that follow such a mark."""
    return re.findall(rf"{mark}```{language}\n(.*?)```", DOCS[page].read_text("utf-8"), re.DOTALL)


EXAMPLES = blocks("library.md", "python", "<!-- example -->\n")


def ran(code, capsys):
    """The names that an example defines, and what it prints."""
    names = {}
    exec(compile(code, "library.md", "exec"), names)
    return names, capsys.readouterr().out


def test_library_example(capsys):
    names, said = ran(EXAMPLES[0], capsys)
    assert re.search(r"-\d+\.\d\d nats a row", said)
    assert names["rows"].shape == (16, 64)
    # 20 epochs of SML must beat independent pixels, which reach -25.3.
    assert names["found"].mean > -24.0
    assert names["found"].log_z.base == "train split"


def test_example_of_a_deep_model(capsys):
    names, said = ran(EXAMPLES[1], capsys)
    assert re.search(r"at least -\d+\.\d\d \+- \d+\.\d\d nats a row", said)
    assert names["stack"].model.sizes == (64, 64, 32)
    assert names["bound"].mean > -26.0  # independent pixels reach -25.3, and five epochs are few


def test_the_training_of_your_own_learns(tmp_path, monkeypatch):
    """The file that is shown, in a suite."""
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("suites.md", "python", "<!-- example: mine.py -->\n")
    Path("mine.py").write_text(code)
    Path("mine.toml").write_text(
        '[[train]]\ndataset = "bars_and_stripes"\nbackend = "cpu"\nevaluate = "exact"\nhidden = 16\n'
        'estimator = [{ name = "mine.py" }, { name = "mine.py", k = 5 }]\n'
        "epochs = 500\nbatch_size = 10\nrate = 0.1\ncheckpoints = 1\n"
    )
    rows = run.run(spec.load("mine.toml"), tmp_path / "out")
    assert [row["status"] for row in rows] == ["done", "done"], rows
    assert all(row["log_likelihood"] > row["baseline_independent"] + 2 for row in rows)


@pytest.mark.parametrize("part", PARTS)
def test_every_setting_of_a_part_is_named(part):
    (row,) = re.findall(rf"^\| `{part}`.*", DOCS["suites.md"].read_text("utf-8"), re.MULTILINE)
    assert {field.name for field in fields(PARTS[part])} - set(re.findall(r"`(\w+)`", row)) == set()


def check_settings(config, page, section, heading, left_out=()):
    """A row of a section's table names each field of a class, with its default if that is a number."""
    text = DOCS[page].read_text("utf-8").split(f"## {section}\n")[1].split("\n## ")[0]
    (row,) = re.findall(rf"^\| `{heading}` \|.*", text, re.MULTILINE)
    for field in fields(config):
        if field.name in left_out:
            continue
        assert f"`{field.name}`" in row
        if isinstance(field.default, int | float):
            value = (
                str(field.default).lower() if isinstance(field.default, bool) else f"{field.default:g}"
            )
            told = re.search(rf"`{field.name}`[^(]*\(([^)]*)", row)[1].replace(",", "")
            told = told.split("; ")[0].split(": ")[0]
            assert told == value or told.startswith("as many as"), field.name


@pytest.mark.parametrize("task", tasks.known())
def test_every_setting_of_a_table_is_told(task):
    every = {"backend", "timeout_s", "seed"}
    check_settings(tasks.known()[task].Case, "suites.md", "Settings of every table", task, every)


@pytest.mark.parametrize("estimator", estimators.known())
def test_every_setting_of_an_estimator_is_told(estimator):
    config = estimators.known()[estimator].Config
    check_settings(config, "models.md", "Training principles", estimator)


def test_every_setting_of_a_way_to_log_z_is_named():
    own = {field.name for method in partition.known().values() for field in fields(method.Config)}
    assert own - set(re.findall(r"`(\w+)`", DOCS["models.md"].read_text("utf-8"))) == set()


@pytest.mark.parametrize("text", blocks("suites.md", "toml"))
def test_the_suites_in_the_text_can_be_read(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", x_train=np.eye(8), x_test=np.eye(8))
    Path("suite.toml").write_text(text, "utf-8")
    assert len(spec.load("suite.toml").cases) > 20


@pytest.mark.parametrize("name", ["run", "test"])
def test_each_set_up_command_is_one_line(name):
    (block,) = blocks("README.md", "sh", f"<!-- command: {name} -->\n")
    assert len(block.strip().splitlines()) == 1


COMMANDS = sorted(
    {
        line
        for page in DOCS
        for block in blocks(page, "sh")
        for line in block.splitlines()
        if line.startswith("ebmbench ") and not set("[|") & set(line)
    }
)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one(line):
    """Its options are known and their values of the right kind; nothing runs."""
    _, name, *arguments = shlex.split(line)
    group = typer.main.get_command(app)
    group.commands[name].make_context(name, arguments)


LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


LINKS = [(page, *link) for page in DOCS.values() for link in LINK.findall(page.read_text("utf-8"))]


@pytest.mark.parametrize(("page", "place", "heading"), LINKS, ids=lambda part: Path(part).name)
def test_every_link_leads_somewhere(page, place, heading):
    """To a file, and to a heading in it by its name as the web shows it."""
    there = page.parent / place if place else page
    assert there.exists()
    if heading:
        text = re.sub(r"```.*?```", "", there.read_text("utf-8"), flags=re.DOTALL)
        headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)
        assert heading in {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def test_the_table_of_suites_has_all_of_them():
    told = set(found_table("suite", page="suites.md")[1])
    assert told == {f"`{path.stem}`" for path in (README.parent / "ebmbench" / "suites").glob("*.toml")}


def report(folder):
    """The rows of a committed report."""
    lines = (README.parent / "reports" / folder / "rows.jsonl").read_text("utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["status"] == "done"]


def found_table(heading, names=1, page="README.md"):
    """The headings of the page's table that begins with this one, and its cells by the first ones."""
    lines = DOCS[page].read_text("utf-8").splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines[first:])
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    key = (lambda row: row[0]) if names == 1 else (lambda row: tuple(row[:names]))
    return cells[0], {key(row): row[names:] for row in cells[2:]}


def lower(row):
    """Of a log-likelihood or a bound by annealing both ways the lower one."""
    names = ("log_likelihood", "log_likelihood_reverse", "bound", "bound_reverse")
    return min(row[name] for name in names if row.get(name) is not None)


def number(text):
    return float(text.replace("−", "-").replace(",", ""))


class TestWhatItFound:
    """Every figure of that part is one of a committed report, as it is rounded there."""

    def test_training_principles(self):
        _, told = found_table("estimator")
        rows = {
            row["estimator"]: row
            for row in report("epyc-2-cores/estimators")
            if row["dataset"] == "binarized_mnist"
        }
        assert len(told) >= 8
        for name, (nats, seconds) in told.items():
            assert rows[name]["resolved"]
            assert number(nats) == round(lower(rows[name]), 1)
            assert number(seconds) == round(rows[name]["train_s"])

    def test_who_reaches_90_nats_first(self):
        text = DOCS["README.md"].read_text("utf-8")
        told = re.search(
            r"(\S+) is the first to reach −90 nats, after (\d+) seconds at most; (\S+) does so after "
            r"(\d+)",
            text,
        )
        seconds = {
            row["estimator"]: one["seconds"]
            for row in report("epyc-2-cores/estimators")
            if row["dataset"] == "binarized_mnist" and row["resolved"]
            for one in row["seconds_to_target"]
            if one["target"] == -90.0 and one["reached"]
        }
        first, *others = sorted(seconds, key=seconds.get)
        assert told.groups()[:2] == (first, f"{seconds[first]:.0f}")
        assert told[3] in others
        assert told[4] == f"{seconds[told[3]]:.0f}"

    def test_rates(self):
        """Of each the best end by the lower of both ways, of those that its row calls resolved."""
        _, told = found_table("half a minute at the best rate")
        rows = [row for row in report("epyc-2-cores/rates") if row["dataset"] == "binarized_mnist"]
        assert set(told) == {row["estimator"] for row in rows}
        for name, (rate, nats) in told.items():
            sure = [row for row in rows if row["estimator"] == name and row["resolved"]]
            best = max(sure, key=lower)
            assert all(abs(row["gap"]) < 1 for row in sure)
            assert number(rate) == best["rate"]
            assert number(nats) == round(lower(best), 1)

    def test_peers(self):
        columns, told = found_table("job", names=2)
        named = {"torch": "torch eager", "scikit-learn": "scikit learn"}
        peers = {name: f"{named.get(name, name.lower())}, float32" for name in columns[2:]}
        rows = [row for row in report("epyc-2-cores/peers") if row["task"] == "kernel"]
        for (job, model), cells in told.items():
            arithmetic = "grid" if model.endswith(", grid arithmetic") else "float"
            model = model.removesuffix(", grid arithmetic")
            for column, cell in zip(columns[2:], cells, strict=True):
                wanted = {"job": job, "model": model, "peer": peers[column], "arithmetic": arithmetic}
                ratios = [row["ratio"] for row in rows if wanted.items() <= row.items()]
                assert len(ratios) == (1 if cell else 0), wanted
                for ratio in ratios:
                    decimals = 1 if "." in cell else 0
                    assert cell == f"{ratio:.{decimals}f}", wanted

    def test_graphs(self):
        """Medians over the seeds of the lower of both ways; of a bound, too."""
        _, told = found_table("model")
        rows = report("epyc-2-cores/graphs")
        named = {
            "RBM of 32 hidden units": "SML-1",
            "General Boltzmann machine": "General Boltzmann machine",
        }
        for model, cells in told.items():
            name = named.get(model.split(",")[0], model)
            for dataset, nats, seconds in (
                ("digits", *cells[:2]), ("binarized_mnist", *cells[2:])
            ):  # fmt: skip
                own = [
                    row for row in rows if row["dataset"] == dataset
                    and (row.get("estimator") == name or row.get("recipe", "").startswith(f"{name} "))
                ]  # fmt: skip
                assert bool(own) == bool(nats), (model, dataset)
                if own:
                    assert number(nats) == round(np.median([lower(row) for row in own]), 1)
                    assert number(seconds) == round(np.median([row["train_s"] for row in own]), 1)

    def test_libraries(self):
        """Ratios of the medians over the seeds."""
        columns, told = found_table("library")
        rows = report("epyc-2-cores/libraries")

        def seconds(dataset, estimator):
            own = [r["train_s"] for r in rows if (r["dataset"], r["estimator"]) == (dataset, estimator)]
            return np.median(own) if own else np.nan

        named = {"torch": "torch eager", "scikit-learn": "scikit learn"}
        for name, cells in told.items():
            for column, cell in zip(columns[1:], cells, strict=True):
                job, where = column.split(", ")
                library = named.get(name, name.lower())
                ratio = seconds(where, f"{job} by {library}") / seconds(where, job)
                assert cell == ("" if np.isnan(ratio) else f"{ratio:.1f}"), (name, column)

    def test_deep_models(self):
        _, told = found_table("deep models on MNIST")
        rows = report("xeon-2-cores/deep-mnist")

        def best(measure, model, sign=1):
            worth = lower if measure == "bound" else lambda row: row[measure]
            found = [worth(row) for row in rows if row["model"] == model and row.get(measure)]
            return max(found, key=lambda value: sign * value)

        bound, parzen, errors = (cells[0] for cells in told.values())
        assert number(bound) == round(best("bound", "dbm"), 1)
        assert number(parzen) == round(best("parzen", "gan"), 1)
        wrong = [f"{100 * best('error', model, -1):.2f} %" for model in ("mlp", "dbn", "dbm")]
        assert errors == ", ".join(wrong)
