"""Reads a table of numbers from a .csv or .csv.gz file."""

import csv
import gzip
import zlib
from pathlib import Path

import numpy as np

from ebmbench.errors import UserError

_LEAST_COUNTED = 3  # columns


def read_csv(path: Path) -> np.ndarray:
    """Read comma-separated numbers, below one line of column titles (no numbers) if there is one.

    Parameters
    ----------
    path : pathlib.Path
        A readable file in UTF-8; unpacked first if its name ends in ``.gz``.

    Returns
    -------
    numpy.ndarray
        float64 [n_rows, n_columns]; blank lines do not count.

    Raises
    ------
    UserError
        If the file is damaged or no text, has no rows, or has a line that does not fit, which the
        message names, counting from 1.
    """
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as file:
            lines = {number: line for number, line in enumerate(file, start=1) if line.strip()}
    except UnicodeDecodeError as error:
        raise UserError(f"The file {str(path)!r} is not text in UTF-8.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"The file {str(path)!r} is damaged: {error}.") from error

    first = min(lines, default=0)
    if _counted(lines.get(first, "")) and len(lines) > 1:
        told = "numbers its columns in its first line; delete that line, or give the columns names"
        raise UserError(f"The file {str(path)!r} {told}.")
    # A line with some numbers in it is a row with a mistake, which must not pass for titles.
    if first and not any(_is_number(field) for field in _fields(lines[first])):
        del lines[first]
    if not lines:
        raise UserError(f"The file {str(path)!r} has no rows.")
    try:
        return np.loadtxt(list(lines.values()), delimiter=",", quotechar='"', comments=None, ndmin=2)
    except ValueError as error:
        raise UserError(f"The file {str(path)!r} {_misfit(lines)}.") from error


def _misfit(lines: dict[int, str]) -> str:
    """Say what is wrong with the first line that does not fit.

    numpy has read the table far faster than Python could, but it counts rows and not lines.
    """
    first = min(lines)
    width = len(_fields(lines[first]))
    for number, line in lines.items():
        fields = _fields(line)
        text = next((field for field in fields if not _is_number(field)), None)
        if text is not None:
            other = next((mark for mark in ";\t " if mark in text.strip()), None)
            hint = f"; columns are separated by commas, not by {other!r}" if other else ""
            return f"has {text[:20]!r} in line {number}, where a number must be{hint}"
        if len(fields) != width:
            return (
                f"changes its number of columns from {width} (line {first}) "
                f"to {len(fields)} (line {number})"
            )
    return "is not a table of numbers separated by commas"


def _fields(line: str) -> list[str]:
    try:
        return next(csv.reader([line]))
    except csv.Error:  # a field longer than any number
        return [line]


def _counted(line: str) -> bool:
    """Whether a line counts its fields, 0, 1, 2 and so on, as pandas titles columns that have no names.

    Of fewer than 3 fields that could be a row.
    """
    fields = [field.strip() for field in _fields(line)]
    return len(fields) >= _LEAST_COUNTED and fields == [str(n) for n in range(len(fields))]


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
