"""A folder's rows, case by case and seed by seed, and which backends of two folders are compared."""

from typing import Any, NamedTuple

from ebmbench.errors import UserError
from ebmbench.harness.comparison import identity, restorations
from ebmbench.harness.table import Table
from ebmbench.kernels import api

BACKEND = "backend"

Row = dict[str, Any]


class Side(NamedTuple):
    """cases: by key, a row each seed; older: rows that newer ones replace; backends: of the rows."""

    cases: dict[str, dict[int, Row]]
    older: int
    backends: set[str]


def side_of(table: Table, backend: str | None) -> Side:
    """The newest row of each case and seed; backend: the only one to look at, as no part of a case."""
    cases: dict[str, dict[int, Row]] = {}
    rows = [
        {str(name): value for name, value in row.items()}
        for row in table.rows.to_dict("records")
        if backend in (None, row["backend"])
    ]
    for row in sorted(rows, key=lambda row: str(row["attempt"])):
        row |= restorations.figures(row)
        cases.setdefault(identity.key(row, backend is not None), {})[int(row["seed"])] = row
    # In the table's order, whatever was run again later.
    keys = dict.fromkeys(identity.key(row, backend is not None) for row in rows)
    kept = {key: dict(sorted(cases[key].items())) for key in keys}
    return Side(kept, len(rows) - sum(map(len, kept.values())), {row["backend"] for row in rows})


def backends_of(across: str, tables: tuple[Table, Table]) -> tuple[str | None, str | None]:
    """The backends of A and B that are compared, or None for all; `UserError` where it is not clear."""
    if not across:
        return None, None
    if across == BACKEND:
        done = [table.rows.loc[table.rows["status"] == "done", "backend"] for table in tables]
        names = [sorted(set(backends)) for backends in done]
        for side, found in zip("AB", names, strict=True):
            if len(found) != 1:
                held = f"backends {' and '.join(found)}" if found else "no backend that is done"
                raise UserError(f"{side} holds {held}: say which to compare, such as --across cpu:cuda")
        return names[0][0], names[1][0]
    one, colon, other = across.partition(":")
    known = [*api.BACKENDS, *(f"{name}-simulator" for name in api.BACKENDS)]
    if not colon or one not in known or other not in known:
        raise UserError(
            f"--across must be `{BACKEND}`, or two backends such as cpu:cuda, but is {across!r}"
        )
    return one, other
