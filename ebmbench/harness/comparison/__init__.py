"""Two results folders held against each other, case by case.

Rows are of one case where everything that decides it agrees (see `identity`) but code version and
machine; the seeds that both folders finished are taken together. Every measure that its task declares is
compared (see `intervals`), and is found to be

- *same*, where speed changed by no more than the threshold, or a figure by no more than its tolerance or
  half the reach of its interval (about a standard error);
- *worse* or *better*, where it changed by more and its interval excludes that nothing changed;
- *maybe worse* or *maybe better*, where it changed by more, but the interval holds no change too, or
  samples are too few for an interval, or the figure itself is in doubt.

A case is worse where one of its measures is, or where it was done in A and came to a bad end in B; else
maybe worse, better, maybe better or same: the first of these that one of its measures is. It is *missing*
where only one folder has it, and *not comparable* where data or models are not the same, it was not
done, or no figure is on both sides. Worse cases are a regression; what is only maybe worse is none.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebmbench.errors import UserError
from ebmbench.harness.comparison import identity
from ebmbench.harness.comparison.sides import Side, backends_of, side_of
from ebmbench.harness.comparison.verdicts import VERDICTS, WORSE, Case, Finding, judge
from ebmbench.harness.table import Table, load_table
from ebmbench.options import require

if TYPE_CHECKING:  # it takes long to import, and most commands compare nothing
    import pandas as pd


@dataclass(frozen=True)
class Comparison:
    """What came of two folders; older: rows of each that newer ones of the same case replace."""

    tables: tuple[Table, Table]
    threshold: float
    cases: list[Case]
    older: tuple[int, int]

    @property
    def counts(self) -> dict[str, int]:
        """How many cases have each verdict, from bad to good; only those that occur."""
        found = Counter(case.verdict for case in self.cases)
        return {verdict: found[verdict] for verdict in VERDICTS if found[verdict]}

    @property
    def regression(self) -> bool:
        """Whether a case is worse."""
        return WORSE in self.counts

    def frame(self) -> "pd.DataFrame":
        """A row a measure, or a case without measures: the fields of `Case` and of `Finding`.

        `number` counts the cases; the case's verdict, a category from bad to good, and its reason are
        `case_verdict` and `case_reason`.
        """
        import pandas as pd

        rows = []
        for number, case in enumerate(self.cases):
            own = {"number": number, "case_verdict": case.verdict, "case_reason": case.reason}
            own |= {
                name: value
                for name, value in vars(case).items()
                if name not in ("findings", "verdict", "reason")
            }
            rows += [own | asdict(finding) for finding in case.findings] or [own]
        frame = pd.DataFrame(rows)
        frame = frame.reindex(columns=[*dict.fromkeys([*frame.columns, *Finding.__annotations__])])
        return frame.assign(case_verdict=pd.Categorical(frame["case_verdict"], VERDICTS, ordered=True))

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON can hold it: ratios as ratios, and None for what is not known."""
        sides = {
            name: {
                "machines": {
                    one: table.machines.get(one) for one in sorted(set(table.rows["machine"].dropna()))
                },
                "code_versions": sorted(set(table.rows["code_version"].dropna())),
                "older_rows": older,
            }
            for name, table, older in zip("ab", self.tables, self.older, strict=True)
        }
        cases = [
            vars(case) | {"findings": [finding.as_json() for finding in case.findings]}
            for case in self.cases
        ]
        return {
            **sides, "threshold": self.threshold, "regression": self.regression, "counts": self.counts,
            "cases": cases,
        }  # fmt: skip


def compare(
    folder_a: str | Path, folder_b: str | Path, threshold: float = 0.05, across: str = ""
) -> Comparison:
    """Hold B against A.

    Parameters
    ----------
    folder_a, folder_b : path
        Folders that `ebmbench.harness.run` filled.
    threshold : float
        By which part a speed must change to count, at least 0: 0.05 is a piece of work that takes 1.05
        times as long.
    across : str
        "" to hold rows against those of the same backend; "backend" to hold the one backend of A
        against the one of B, whichever they are; "cpu:cuda" to hold these two against each other.

    Returns
    -------
    Comparison
        All cases of both folders, in the order of A's table and then of B's.

    Raises
    ------
    UserError
        Where a folder holds no results or rows of another schema, where the two have no case in
        common, and where it is not clear which backends are meant.
    """
    require(
        0 <= threshold < float("inf"), f"the threshold must be at least 0 %, but is {100 * threshold:g} %"
    )
    tables = load_table(folder_a), load_table(folder_b)
    backends = backends_of(across, tables)
    a, b = (side_of(table, backend) for table, backend in zip(tables, backends, strict=True))
    if not a.cases.keys() & b.cases.keys():
        raise UserError(f"no case of {folder_b} is in {folder_a}{_hint(a, b, across)}")
    keys = dict.fromkeys([*a.cases, *b.cases])
    found = [judge(a.cases.get(key, {}), b.cases.get(key, {}), threshold) for key in keys]
    return Comparison(tables, threshold, identity.told_apart(found), (a.older, b.older))


def _hint(a: Side, b: Side, across: str) -> str:
    """What may help where nothing is in both."""
    if across or a.backends & b.backends:
        return ""
    names = [" and ".join(sorted(side.backends)) for side in (a, b)]
    return f": one is of backend {names[0]} and the other of {names[1]}, which --across compares"
