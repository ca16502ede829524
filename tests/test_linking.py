"""Machine code is made of what is called, and of nothing that is only linked into it."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest
from numba import prange
from numba.core import codegen

from ebmbench.compile import CacheFiles, inner, jit
from ebmbench.linking import Library

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="Numba compiles nothing here")


@inner
def root(x):
    if x < 0.0:
        raise ValueError("no root")
    return np.sqrt(x)


def roots(x, out):
    for i in prange(x.size):
        out[i] = root(x[i])


def said_by(script, folder, **variables):
    """The lines that a script prints in a process of its own; machine code is kept in the folder."""
    (folder / "script.py").write_text(script)  # a file, as Numba keeps nothing of what has none
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder)} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.fixture
def made(monkeypatch):
    """The names of the libraries that machine code is made of."""
    names, make = [], codegen.JITCodeLibrary._finalize_specific

    def noted(library):
        names.append(library.name)
        make(library)

    monkeypatch.setattr(codegen.JITCodeLibrary, "_finalize_specific", noted)
    return names


def test_of_a_parallel_loop_one_library_becomes_machine_code(made, tmp_path):
    x, out = np.arange(9.0), np.empty(9)
    compiled = jit(parallel=True)(roots)
    compiled._cache._cache_file = CacheFiles(str(tmp_path), "roots")  # empty
    compiled(x, out)
    np.testing.assert_array_equal(out, np.sqrt(x))
    assert set(made) - {"nrt"} == {"roots"}  # and what a process makes once
    del made[:]
    numba.njit(parallel=True)(roots)(x, out)
    assert len(made) > 3  # what Numba does alone, of which the test above could otherwise not fail


def test_what_compiled_code_calls_alone_stays_a_python_function():
    assert root(4.0) == 2.0
    assert not isinstance(root, numba.core.dispatcher.Dispatcher)


def test_an_error_is_raised():
    with pytest.raises(ValueError, match="no root"):
        jit(lambda x: root(x))(-1.0)


def test_what_is_kept_of_a_function_that_python_cannot_call():
    @numba.njit(cache=True, no_cpython_wrapper=True)
    def foreign(x):
        return x + 1

    assert jit(lambda x: foreign(x))(1) == 2


# Errors that tell a number, and what is printed: both go by a function's environment. In a process of its
# own, as a parallel loop that has none waits for ever; without ours, too, where it comes from the cache.
TELLING = """
import numba
from numba import prange
from ebmbench.compile import inner, jit

@inner(allocates=True)
def ours(x):
    print("x is", x)
    if x > 1:
        raise ValueError("too much", x)
    return x

@numba.njit(parallel=True)
def foreign(x):
    for i in prange(2):
        print("of", x)
    return x

@jit
def both(x):
    return ours(x) + foreign(x)

assert both(1) == 2
try:
    both(2)
except ValueError as error:
    print(*error.args)
"""


def test_what_is_only_linked_prints_and_raises(tmp_path):
    said = said_by(TELLING, tmp_path, NUMBA_NUM_THREADS="1")
    assert said == ["x is 1", "of 1", "of 1", "x is 2", "too much 2"]


def test_a_function_that_another_one_called_first_is_called_from_python():
    @numba.njit
    def foreign(x):
        return x + 1

    @jit
    def ours(x):
        return 2 * foreign(x)

    @jit
    def outer(x):
        return ours(x) + foreign(x)

    assert outer(3) == 12
    assert ours(3) == 8
    assert foreign(3) == 4


def test_numba_is_left_as_it_was_found():
    @jit
    def wrong(x):
        return x.there_is_no_such_thing

    @numba.njit
    def foreign(x):
        return x + 1

    with pytest.raises(numba.TypingError):
        wrong(1.0)
    assert foreign(1) == 2
    (library,) = (found.library for found in foreign.overloads.values())
    assert not isinstance(library, Library)


# Of a process's second start; what it compiles is counted.
KEPT = """
import numpy as np
from numba import prange
from ebmbench.compile import inner, jit
from ebmbench.harness.compiling import watched

@inner
def root(x):
    return np.sqrt(x)

@jit(parallel=True)
def roots(x, out):
    for i in prange(x.size):
        out[i] = root(x[i])

out = np.empty(3)
with watched() as found:
    roots(np.array([1.0, 4.0, 9.0]), out)
assert (out == [1.0, 2.0, 3.0]).all()
print(found.functions)
"""


def test_what_is_kept_is_not_compiled_again(tmp_path):
    first, second = (int(*said_by(KEPT, tmp_path)) for _ in range(2))
    assert first > 0
    assert second == 0
