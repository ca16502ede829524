"""The README's library example runs as it stands."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def test_library_example(capsys):
    code = re.search(r"<!-- example -->\n```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert code is not None
    names = {}
    exec(compile(code[1], str(README), "exec"), names)
    said = capsys.readouterr().out
    assert re.search(r"-\d+\.\d\d nats a row", said)
    assert names["rows"].shape == (16, 64)
    # 20 epochs of SML must beat independent pixels, which reach -25.3.
    assert names["found"].mean > -24.0
    assert names["found"].log_z.base == "train split"


@pytest.mark.parametrize("name", ["run", "test"])
def test_each_set_up_command_is_one_line(name):
    block = re.search(rf"<!-- command: {name} -->\n```sh\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert block is not None
    assert len(block[1].strip().splitlines()) == 1
