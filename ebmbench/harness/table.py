"""The table on disk: one line of JSON a finished case, safe against a killed run and a full disk.

A results folder holds rows.jsonl (one line a case; of several lines with one key the newest counts),
curves.jsonl (one line a checkpoint), machine.json (machine id -> description), planned.json (the keys of
the cases that the newest run is to finish) and models/KEY.npz.
"""

import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numpy as np
from filelock import FileLock, Timeout

from ebmbench.errors import UserError
from ebmbench.files import write_atomically
from ebmbench.harness import machine

if TYPE_CHECKING:  # it takes long to import, and most commands read no table
    import pandas as pd

T = TypeVar("T")

SCHEMA_VERSION = 1
STATUSES = ("done", "diverged", "timeout", "unavailable", "failed", "red")
FINAL = ("done", "diverged")  # a rerun does not try these again


class Table(NamedTuple):
    """A results folder as tidy frames: a row a case, a row a checkpoint, and the machines."""

    rows: "pd.DataFrame"
    curves: "pd.DataFrame"
    machines: dict[str, Any]


class Store:
    """A results folder that rows are added to; planned: the keys of the run's cases.

    `UserError` where it cannot be written, or another process holds it: beside each other two runs would
    time each other. A process that is killed holds nothing.
    """

    def __init__(self, folder: Path, planned: Iterable[str] = ()) -> None:
        self.folder = folder
        self._lock = FileLock(folder / ".lock")
        try:
            (folder / "models").mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            machines = _machines(folder) | {machine.machine_id(): machine.facts()}
            rows = _rows(folder)
            write_atomically(
                folder / "machine.json", json.dumps(machines, indent=2, sort_keys=True).encode()
            )
            write_atomically(folder / "planned.json", json.dumps(list(planned)).encode())
        except Timeout:
            told = f"another run writes to {folder}: wait until it has ended, or give another folder"
            raise UserError(told) from None
        except OSError as error:
            self.close()
            raise UserError(f"cannot write to {folder}: {error.strerror or error}") from None
        except UserError:
            self.close()
            raise
        self.finished = {row["key"]: row for row in rows if row["status"] in FINAL}
        self.failed = {row["key"] for row in rows if row["status"] == "failed"}

    def close(self) -> None:
        """Let other runs write to the folder."""
        self._lock.release()

    def add(
        self, row: dict[str, Any], curve: list[dict[str, Any]], model: dict[str, np.ndarray] | None
    ) -> None:
        """Append a finished case; its row goes last, so that a row's curve is always there.

        Raises `UserError` where the disk refuses; the rows before are untouched.
        """
        try:
            if model is not None:
                buffer = io.BytesIO()
                np.savez_compressed(buffer, **cast(Any, model))
                write_atomically(self.folder / "models" / f"{row['key']}.npz", buffer.getvalue())
            _append(self.folder / "curves.jsonl", curve)
            _append(self.folder / "rows.jsonl", [row])
        except OSError as error:
            raise UserError(
                f"cannot write to {self.folder}: {error.strerror or error}; "
                "the rows that were finished before are kept"
            ) from None


def update_quartiles(processes: Iterable[dict[str, Any]]) -> tuple[float, float, float]:
    """Quartiles of the seconds an update, pooled over entries of a row's `samples`.

    Every update counts alike, though a slice of many stands for it; NaN where there is none.
    """
    slices = [np.repeat(one["update_s"], one["updates"]) for one in processes]
    if not slices:
        return np.nan, np.nan, np.nan
    low, median, high = np.quantile(np.concatenate(slices), [0.25, 0.5, 0.75])
    return float(low), float(median), float(high)


def load_table(folder: str | Path) -> Table:
    """Read a results folder.

    rows has a column for every field of `Case` and of the row (one row a case, the newest attempt);
    curves has key, update, epoch, seconds, log_likelihood, log_likelihood_train, log_z, std_error,
    whatever else the tasks note at a checkpoint, and the case's columns. Raises `UserError` where the
    folder holds no table.
    """
    import pandas as pd

    folder = Path(folder)
    if folder.is_file():
        raise UserError(f"{folder} is a file: name the results folder that it lies in")
    if not (folder / "rows.jsonl").is_file():
        raise UserError(f"{folder} holds no results: rows.jsonl is missing")
    rows = _rows(folder)
    if not rows:
        raise UserError(f"{folder} holds no results: rows.jsonl has no complete row")
    frame = pd.DataFrame(rows)
    attempts = {row["key"]: row["attempt"] for row in rows}
    curves = [
        line
        for line in _read_lines(folder / "curves.jsonl")
        if attempts.get(line["key"]) == line["attempt"]
    ]
    identity = ["key", "task", "dataset", "backend", "estimator", "hidden", "seed"]
    columns = [
        "key", "attempt", "update", "epoch", "seconds",
        "log_likelihood", "log_likelihood_train", "log_z", "std_error", "ess",
    ]  # fmt: skip
    points = pd.DataFrame(curves, columns=list(dict.fromkeys([*columns, *chain(*curves)])))
    return Table(frame, points.merge(frame.reindex(columns=identity), on="key"), _machines(folder))


class Gaps(NamedTuple):
    """What a folder's table leaves out.

    without_row: cases of the newest run that have no row, as it was stopped or has not come to them yet;
    damaged: lines that are no rows, 0 where each case of that run has its row all the same: a killed run
    leaves half a line, and adds the row anew when it is continued.
    """

    without_row: int
    damaged: int


def gaps(folder: str | Path) -> Gaps:
    """See `Gaps`; `UserError` where the file of what was planned is damaged."""
    rows, planned = Path(folder) / "rows.jsonl", Path(folder) / "planned.json"
    read = _read_lines(rows)
    keys: list[str] = _content(planned, [])
    without_row = len(set(map(str, keys)) - {row["key"] for row in read})
    if planned.is_file() and not without_row:
        return Gaps(0, 0)
    lines = rows.read_text(encoding="utf-8", errors="replace").splitlines()
    return Gaps(without_row, sum(bool(line.strip()) for line in lines) - len(read))


def load_model(folder: str | Path, key: str) -> dict[str, np.ndarray] | None:
    """The arrays that a case left (W, b, c, samples, image_shape), or None."""
    path = Path(folder) / "models" / f"{key}.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def _rows(folder: Path) -> list[dict[str, Any]]:
    """The newest attempt of every case; `UserError` where a row is not one of this schema."""
    rows = _read_lines(folder / "rows.jsonl")
    for row in rows:
        if row.get("schema_version") != SCHEMA_VERSION or not {"status", "attempt"} <= row.keys():
            raise UserError(
                f"{folder} holds rows of another schema than version {SCHEMA_VERSION}; "
                "use the version of ebmbench that wrote them, or another folder"
            )
    return list({row["key"]: row for row in rows}.values())


def _machines(folder: Path) -> dict[str, Any]:
    return _content(folder / "machine.json", {})


def _content(path: Path, otherwise: T) -> T:
    """What a file of JSON holds, which must be of the type of what counts where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else otherwise
    except ValueError:
        content = None
    if not isinstance(content, type(otherwise)):
        raise UserError(f"{path} is damaged; move it away, or use another folder")
    return content


def finite(value: Any) -> Any:
    """The value with None in place of NaN and infinity, which JSON does not have."""
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    return [finite(one) for one in value] if isinstance(value, list) else value


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a JSONL file; a line that a killed run left half-written is passed over."""
    lines = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and "key" in value:
            lines.append(value)
    return lines


def _append(path: Path, lines: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(finite(line), allow_nan=False) + "\n" for line in lines)
    with path.open("ab+") as file:
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # half a line of a killed run
                text = "\n" + text
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
