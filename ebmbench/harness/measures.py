"""What two rows of a case are compared by: seconds and figures of quality; each task declares its own."""

import math
from dataclasses import dataclass

# What deep models are judged by (see `harness.quality`), and the sign by which more of it is better.
BOUND, ERROR, PARZEN = "bound", "error", "parzen"
BETTER = {BOUND: 1, ERROR: -1, PARZEN: 1}

# What kinds of these models are called.
TITLES = {
    "dbn": "DBN",
    "dbm": "DBM",
    "general_boltzmann_machine": "general Boltzmann machine",
    "mlp": "MLP",
    "gan": "GAN",
}

LEAST_GAIN = 1.0  # nats a test row over independent pixels that a model must reach
LEAST_GAP = 1.0  # nats that make an end unresolved: `evaluation.sandwich.RESOLVED`, a test says
NO_GAIN = "no gain"  # the verdict of one that does not

CROWDED = 0.2  # cores that other programs keep busy, from which on seconds suffer


@dataclass(frozen=True)
class Speed:
    """Seconds of a piece of work; less is better.

    name: the column of a row (a median), and of the entries of its `samples`; called: what tables call
    the piece of work; weights: the entries' column of how many pieces a turn was the mean of; without:
    entries where this column is not zero are of something else; rate: what is counted is pieces a second.
    """

    name: str
    called: str
    weights: str = ""
    without: str = ""
    rate: bool = False


@dataclass(frozen=True)
class Quality:
    """A figure that says how good a result is.

    name: its column; called, unit: in tables; higher: whether more is better; ratio: whether figures are
    compared by their ratio, not by their difference; tolerance: a change that counts for nothing, in the
    unit or, of a ratio, as a part of the figure; std_error: the column of its standard error, where that
    is all its uncertainty; over: the columns whose product the figure and its standard error are divided
    by; magnitude: whether its sign plays no part; trusted: a column that is False where the figure must
    not be believed.
    """

    name: str
    called: str
    unit: str = ""
    higher: bool = False
    tolerance: float = 0.0
    ratio: bool = False
    std_error: str = ""
    over: tuple[str, ...] = ()
    magnitude: bool = False
    trusted: str = ""


Measure = Speed | Quality


def figure(value: float | None, form: str) -> str:
    """A row's number in words; a dash for NaN, which a row that was kept has as None."""
    return "–" if value is None or not math.isfinite(value) else format(value, form)
