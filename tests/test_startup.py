"""The first start of a version compiles, every other takes its kernels from the cache; and says so."""

import functools
import json
import os
import shutil
import subprocess
import sys

import numba
import pytest
import synthetic
from test_cli import SMALL
from test_report_speed import cells_of
from test_report_tasks import headings, page_of

from ebmbench.compile import PACKAGE
from ebmbench.harness import gate, interleaved
from ebmbench.harness.compiling import watched
from ebmbench.harness.gate import Red
from ebmbench.harness.tasks import startup

# Commands, a line each, in one process that counts what Numba compiles: Numba's own events, no clock.
COMMANDS = """
import sys
from ebmbench.cli import main
from ebmbench.harness.compiling import watched
with watched() as found:
    for line in sys.argv[1:]:
        sys.argv = ["ebmbench", *line.split()]
        try:
            main()
        except SystemExit as ended:
            assert not ended.code, line
print("COMPILED", found.functions, *found.places)
"""
UNIFORMS = """
from ebmbench.harness.compiling import watched
with watched() as found:
    from ebmbench.randomness import Key, Stream, uniforms
    uniforms(Key(0, Stream.CHAINS), 2, 3)
print("COMPILED", found.functions, *found.places)
"""


def compiled(code, folder, *arguments, **variables):
    """How many functions a fresh process compiled, and of which files."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    _, functions, *places = done.stdout.splitlines()[-1].split()
    return int(functions), places


def test_a_second_start_compiles_nothing(tmp_path):
    """Neither the gate, which calls every kernel with all its types, nor a command after it."""
    commands = (
        "train --dataset bars_and_stripes --hidden 5 --epochs 2 --estimator sml --centred",
        "evaluate model.npz --data bars_and_stripes --betas 20 --chains 4 --start parallel_tempering",
        "sample model.npz --count 4 --sweeps 3",
        "train --dataset digits --visible gaussian --hidden 5 --epochs 1 --rate 0.001",
        "evaluate model.npz --data digits --betas 20 --chains 4 --sweeps 10",
    )
    compiled(COMMANDS, tmp_path, *commands)  # fills the cache, unless a test before has
    assert compiled(COMMANDS, tmp_path, *commands) == (0, [])


def test_what_has_no_cache_is_counted(tmp_path):
    """The count above could not be 0 where something is compiled."""
    folder = {"NUMBA_CACHE_DIR": str(tmp_path)}
    first, places = compiled(UNIFORMS, tmp_path, **folder)
    assert first > 0
    assert places == ["randomness"]
    assert compiled(UNIFORMS, tmp_path, **folder) == (0, [])
    (tmp_path / "file").touch()
    again, _ = compiled(UNIFORMS, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "file"))
    assert again == first


def test_the_same_version_installed_elsewhere_compiles_nothing(tmp_path):
    folder = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert compiled(UNIFORMS, tmp_path, **folder)[0] > 0
    shutil.copytree(PACKAGE, tmp_path / "elsewhere" / "ebmbench")
    folder["PYTHONPATH"] = str(tmp_path / "elsewhere")
    assert compiled(UNIFORMS, tmp_path, **folder) == (0, [])
    with (tmp_path / "elsewhere" / "ebmbench" / "scalar.py").open("a") as file:
        file.write("# another version\n")
    assert compiled(UNIFORMS, tmp_path, **folder)[0] > 0


def fresh():
    """Compile a function and another that it needs."""

    @numba.njit
    def inner(x):
        return x + 1

    @numba.njit
    def outer(x):
        return 2 * inner(x)

    assert outer(1) == 4


def test_functions_compiled_for_others_are_one_wait():
    told = []
    with watched(told.append) as found:
        fresh()
    assert found.functions == 2
    assert found.places == ["test_startup"]
    assert told == ["test_startup", ""]
    assert found.seconds > 0
    fresh()
    assert found.functions == 2  # it no longer listens


def test_run_says_when_it_compiles(ebmbench, tmp_path, monkeypatch):
    (tmp_path / "small.toml").write_text(SMALL)
    once = functools.cache(fresh)
    monkeypatch.setattr(gate, "demand", lambda *_: once() or 0.0)
    _, _, err = ebmbench("run", "small.toml", "--backend", "reference")
    lines = [line for line in err.splitlines() if "compil" in line]
    assert lines[0] == "compiling kernels that are not in the cache yet"
    assert lines[1].startswith("compiled 2 functions of test_startup, ")
    assert lines[1].endswith(" s so far; the next start finds them there")
    assert len(lines) == 2
    assert err.index("compiled 2") < err.index("[1/1]")


def test_run_says_nothing_where_all_is_cached(ebmbench, tmp_path, monkeypatch):
    (tmp_path / "small.toml").write_text(SMALL)
    monkeypatch.setattr(gate, "demand", lambda *_: 0.0)
    ebmbench("run", "small.toml", "--out", "before")
    status, _, err = ebmbench("run", "small.toml", "--out", "after")
    assert status == 0
    assert "compil" not in err
    assert "[2/2]" in err


CASE = startup.Case(backend="cpu", job="gibbs", n_visible=9, n_hidden=5, chains=3, processes=2)


def test_the_task_counts_and_clocks_each_start():
    row = {}
    startup.run(CASE, row, [])
    assert row["cold_functions"] > 5
    assert row["functions"] == 0
    assert row["cold_first_s"] > row["first_s"] > 0
    assert len(row["samples"]) == 1 + CASE.processes
    for one in row["samples"]:
        stages = [one[name] for name in ("python_s", "numba_s", "backend_s", "inputs_s", "first_s")]
        assert min(stages) > 0
        assert one["total_s"] == pytest.approx(sum(stages))


def test_a_start_that_compiles_again_is_red(monkeypatch):
    stages = ("numba_s", "backend_s", "inputs_s", "first_s", "again_s", "compiler_s")
    said = json.dumps(dict.fromkeys(stages, 0.0) | {"functions": 3})
    monkeypatch.setattr(startup, "in_a_process", lambda *_: said)
    row = {}
    with pytest.raises(Red, match="compiled 3 functions for gibbs again"):
        startup.run(CASE, row, [])
    assert row["functions"] == 3  # the row keeps what was found


def test_a_process_that_fails_says_why():
    with pytest.raises(RuntimeError, match="KeyError"):
        interleaved.in_a_process(["ebmbench.harness.first_call", "no", "cpu", "3", "2", "1"], 60)


def test_the_page_tells_each_stage(tmp_path):
    stages = ("python_s", "numba_s", "backend_s", "inputs_s", "first_s", "again_s", "total_s")
    row = synthetic.common("a", "startup", backend="cpu", job="gibbs", subject="a model", processes=5)
    for place, name in enumerate(stages, 1):
        row |= {name: 0.1 * place, f"{name}_low": 0.1 * place, f"{name}_high": 0.2 * place}
    row |= {"cold_first_s": 7.5, "cold_total_s": 8.25, "cold_functions": 16, "functions": 0}
    page_of(tmp_path, [row])
    assert "Start-up" in headings(tmp_path)
    html = (tmp_path / "r" / "report.html").read_text("utf-8")
    first, stages = html[html.index("First results") :].split("</table>")[:2]
    first, stages = cells_of(first), cells_of(stages)
    assert first[7:] == ["gibbs", "cpu", "8.25 s", "7.5 s", "16", "700 ms [700 ms to 1.4 s]", "0"]
    assert stages[2:4] == ["Python itself", "Import of Numba"]
    assert stages[8:10] == ["gibbs", "cpu"]
    assert [cell.split(" [")[0] for cell in stages[10:]] == [f"{n}00 ms" for n in range(1, 7)]
