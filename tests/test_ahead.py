"""The second process that compiles too, and the machine code that both keep."""

import os
import subprocess
import sys
from subprocess import DEVNULL

import numba
import pytest

from ebmbench.compile import CacheFiles
from ebmbench.harness import ahead, gate

KINDS = ("bernoulli_rbm", "mlp")


class Started:
    """A process that only says what is done to it."""

    def __init__(self, command, **streams):
        self.command, self.streams, self.done = command, streams, []
        self.all.append(self)

    def kill(self):
        self.done.append("killed")

    def wait(self):
        self.done.append("waited for")


@pytest.fixture
def started(monkeypatch):
    monkeypatch.setattr(Started, "all", [], raising=False)
    monkeypatch.setattr(ahead.subprocess, "Popen", Started)
    monkeypatch.setattr(ahead.machine, "cores", lambda: 2)
    return Started.all


def compile_something():
    numba.njit(lambda x: x + 1)(1)


def test_a_process_is_started_with_the_first_compilation_and_ends_with_the_block(started):
    with ahead.helped("cpu", KINDS):
        assert started == []
        compile_something()
        compile_something()
        (one,) = started
        assert one.done == []
    assert one.command == [sys.executable, "-m", "ebmbench.harness.ahead", "cpu", "1/1", *KINDS]
    assert set(one.streams.values()) == {DEVNULL}
    assert one.done == ["killed", "waited for"]


def test_it_ends_with_a_block_that_fails(started):
    def fail():
        with ahead.helped("cpu", KINDS):
            compile_something()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert started[0].done == ["killed", "waited for"]


@pytest.mark.parametrize("why", ["nothing is compiled", "reference", "cuda", "one core", "no cache"])
def test_no_process_is_started_where_it_would_not_help(started, monkeypatch, why):
    if why == "one core":
        monkeypatch.setattr(ahead.machine, "cores", lambda: 1)
    if why == "no cache":
        monkeypatch.setattr(ahead, "cache_folder", lambda: None)
    with ahead.helped(why if why in ("reference", "cuda") else "cpu", KINDS):
        if why != "nothing is compiled":
            compile_something()
    assert started == []


def test_many_cores_begin_at_even_distances(started, monkeypatch):
    monkeypatch.setattr(ahead.machine, "cores", lambda: 4)
    with ahead.helped("cpu", KINDS):
        compile_something()
    assert [one.command[4] for one in started] == ["1/3", "2/3", "3/3"]
    assert all(one.done == ["killed", "waited for"] for one in started)
    monkeypatch.setattr(ahead.machine, "cores", lambda: 64)
    started.clear()
    with ahead.helped("cpu", KINDS):
        compile_something()
    assert len(started) == 7


@pytest.mark.parametrize(("share", "order"), [("1/1", "cba"), ("1/3", "acb"), ("2/3", "bac")])
def test_it_begins_at_the_end_of_its_share(monkeypatch, share, order):
    calls = []
    monkeypatch.setattr(ahead, "end_with_parent", lambda: calls.append("ends with its parent"))
    monkeypatch.setattr(gate, "labels", {KINDS: ["a", "b", "c"]}.get)
    monkeypatch.setattr(gate, "SIZES", ("small", "large"))
    monkeypatch.setattr(
        gate, "findings", lambda k, sizes, only: calls.append((k.name, *sizes, *only)) or []
    )
    ahead.main("cpu", share, *KINDS)
    pairs = [(size, job) for size in ("small", "large") for job in order]
    assert calls == ["ends with its parent", *(("cpu", *pair) for pair in pairs)]


def test_what_two_processes_compile_at_once_is_kept_apart(tmp_path):
    """Each began before the other had written anything."""
    one, other = (CacheFiles(str(tmp_path), "function") for _ in range(2))
    one.save(("(float32,)", "cpu"), "code of float32")
    other.save(("(int8,)", "cpu"), "code of int8")
    third = CacheFiles(str(tmp_path), "function")
    assert third.load(("(float32,)", "cpu")) == "code of float32"
    assert third.load(("(int8,)", "cpu")) == "code of int8"
    assert third.load(("(int8,)", "another cpu")) is None
    assert CacheFiles(str(tmp_path), "another").load(("(int8,)", "cpu")) is None


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"nonsense",
        lambda content: content[:-20],
        *(lambda content, place=place: flipped(content, place) for place in (0, 31, 32, 40, -2)),
    ],
)
def test_a_damaged_file_is_compiled_anew(tmp_path, damage):
    files = CacheFiles(str(tmp_path), "function")
    files.save("signature", ["code", *range(100)])
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert files.load("signature") is None
    files.save("signature", "code")
    assert files.load("signature") == "code"


FULL = """
import builtins, tempfile
from ebmbench import compile
compile.cache_folder()  # made while there was room

def full(*_, **__):
    raise OSError(28, "No space left on device")

tempfile.TemporaryFile = full
open_ = open
builtins.open = lambda path, mode="r", *rest, **options: (
    full() if "w" in mode else open_(path, mode, *rest, **options)
)
from ebmbench.scalar import sigmoid
print(float(sigmoid(0.0)))
"""


def test_a_full_disk_costs_nothing_but_the_next_compilation(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", FULL], env=environment, capture_output=True, text=True)
    assert told.stdout.strip() == "0.5", told.stderr
    assert not list(tmp_path.rglob("*.nbc"))


def test_a_helper_that_cannot_start_holds_nobody_up(started, monkeypatch):
    def none_left(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(ahead.subprocess, "Popen", none_left)
    with ahead.helped("cpu", KINDS):
        compile_something()


FOREIGN = """
from ebmbench.compile import jit

@jit
def f(x):
    return x + {number}

print(f(1))
"""


def test_a_changed_constant_outside_the_package_is_compiled_anew(tmp_path):
    """Numba's key is the code's bytes, which hold no constants: it also looks at the file's time."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    file = tmp_path / "foreign.py"
    for number in (1, 50):
        file.write_text(FOREIGN.format(number=number))
        command = [sys.executable, str(file)]
        told = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert told.stdout.strip() == str(number + 1), told.stderr
