"""The README's library examples run as they stand."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from ebmbench.harness import run, spec
from ebmbench.harness.parts import PARTS
from ebmbench.harness.tasks import deep

README = Path(__file__).parent.parent / "README.md"


EXAMPLES = re.findall(r"<!-- example -->\n```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def ran(code, capsys):
    """The names that an example defines, and what it prints."""
    names = {}
    exec(compile(code, str(README), "exec"), names)
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
    """The README's file, in a suite."""
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(
        r"<!-- example: mine.py -->\n```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL
    )
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
    (row,) = re.findall(rf"^\| `{part}`.*", README.read_text("utf-8"), re.MULTILINE)
    assert {field.name for field in fields(PARTS[part])} - set(re.findall(r"`(\w+)`", row)) == set()


def test_the_suites_in_the_text_can_be_read():
    texts = re.findall(r"```toml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    cases = [case for text in texts for case in tomllib.loads(text).get("deep", [])]
    assert cases
    for case in cases:
        deep.Case(**case)


@pytest.mark.parametrize("name", ["run", "test"])
def test_each_set_up_command_is_one_line(name):
    block = re.search(rf"<!-- command: {name} -->\n```sh\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert block is not None
    assert len(block[1].strip().splitlines()) == 1
