"""What is said when nobody looks on: no figure is cut, and a wait for the compiler is told."""

import numba
from rich.table import Table

from ebmbench.cli import console


def compile_something():
    numba.njit(lambda x: x + 1)(1)


def test_a_piped_table_is_as_wide_as_it_is(capsys):
    table = Table(box=None)
    for heading in range(8):
        table.add_column(f"a long heading, number {heading}")
    table.add_row(*(f"figure {n} with its interval [−1.0, +1.0]" for n in range(8)))
    console.print_table(table)
    heading, row = capsys.readouterr().out.splitlines()
    assert all(
        f"number {n}" in heading and f"figure {n} with its interval [−1.0, +1.0]" in row for n in range(8)
    )


def test_a_wait_for_the_compiler_is_told_once_when_piped(capsys):
    with console.busy("waiting"):
        compile_something()
        compile_something()
    with console.steps(1, "counting"):
        compile_something()
        compile_something()
    told = capsys.readouterr().err.splitlines()
    assert told == ["compiling kernels that are not in the cache yet"] * 2


def test_without_a_compilation_nothing_is_said(capsys):
    with console.busy("waiting"), console.steps(1, "counting"):
        pass
    assert capsys.readouterr().err == ""
