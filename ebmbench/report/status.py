"""How many cases there are, and which of them are not done."""

from collections.abc import Iterable

import pandas as pd

from ebmbench.harness.measures import CROWDED
from ebmbench.harness.table import Gaps
from ebmbench.report.text import count, listing, number

_NAMED = 8  # groups of unfinished cases that a sentence names


def overview(cases: pd.DataFrame, left_out: Gaps) -> list[str]:
    """Sentences that count the cases of all tasks, and name those that are not done."""
    done, total = int((cases["status"] == "done").sum()), len(cases) + left_out.without_row
    counted = f"{done} of {count(total, 'case')} {'is' if done == 1 else 'are'} done."
    told = [without_row(left_out.without_row), _damaged(left_out.damaged), counted]
    return [*filter(None, told), *unfinished(cases)]


def _damaged(lines: int) -> str:
    """A sentence about the damaged lines of the table, where there are any."""
    if not lines:
        return ""
    return f"{count(lines, 'line')} of rows.jsonl {'is' if lines == 1 else 'are'} damaged and left out."


def without_row(missing: int) -> str:
    """A sentence about the cases without a row, where there are any, and what to do about it."""
    if not missing:
        return ""
    verb = "has" if missing == 1 else "have"
    return (
        f"{count(missing, 'case')} of the run {verb} no row: it was stopped, or still goes on; the same "
        "command continues it."
    )


def crowded(cases: pd.DataFrame) -> str:
    """How much of the processors other programs took while cases ran, where it was much; else nothing."""
    others = pd.to_numeric(cases.get("others_cores", pd.Series(dtype=float)), errors="coerce")
    much = others[others >= CROWDED]
    if much.empty:
        return ""
    told = f"during {len(much)} of {count(len(cases), 'case')} other programs kept up to "
    return f"{told}{number(much.max(), 1)} cores busy, so their seconds may be too long."


def unfinished(cases: pd.DataFrame) -> list[str]:
    """A sentence that counts and names the cases that are not done, if there are any."""
    left = cases[cases["status"] != "done"]
    if left.empty:
        return []
    on = [f" on {name}" if pd.notna(name) else "" for name in left["backend"]]
    labels = [label.removesuffix(f",{end}") for label, end in zip(left["label"], on, strict=True)]
    known = left[["where", "status", "seed"]].assign(on=on, label=labels)
    groups = known.groupby(["where", "label", "on", "status"], sort=False)["seed"]
    names = [
        f"{where} with {label}{on} ({status}{_seeds(seeds)})"
        for (where, label, on, status), seeds in groups
    ]
    if len(names) > _NAMED:
        pairs = (known["on"].str.strip() + " (" + known["status"] + ")").value_counts(sort=False)
        told = listing([f"{n} {words}" for words, n in pairs.items()])
        names = [f"{told}, each with its reason below"]
    verb = "is" if len(left) == 1 else "are"
    return [f"{count(len(left), 'case')} {verb} not done: {'; '.join(names)}."]


def _seeds(seeds: Iterable[float]) -> str:
    numbers = [f"{seed:g}" for seed in sorted({seed for seed in seeds if pd.notna(seed)})]
    if not numbers:
        return ""
    return f", seed{'' if len(numbers) == 1 else 's'} {listing(numbers)}"
