"""Fidelity of gradients: the seeds of one estimator at one model taken together."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ebmbench.report.text import percent

EXACT = 1e-4  # relative error of one gradient up to which nothing is left but rounding
SEEN = 2.0  # standard errors from which a bias is told apart from none


class Entry(NamedTuple):
    """What the seeds of a label came to on one model: medians; bias and deviation relative to ‖g‖.

    persistent: whether the replicates follow each other in the same chains, `thin` steps apart in each of
    `restarts` runs.
    """

    where: str
    label: str
    estimator: str
    backend: str
    persistent: bool
    bias: float
    bias_std_error: float
    deviation: float
    cosine: float
    step_s: float
    step_s_low: float
    step_s_high: float
    replicates: float
    thin: float
    restarts: float

    @property
    def biased(self) -> bool:
        """Whether the bias is told apart from none, if the replicates are independent."""
        return not self.bias <= SEEN * self.bias_std_error

    @property
    def exact(self) -> bool:
        """Whether a single gradient is the exact one, up to rounding."""
        return bool(np.hypot(self.bias, self.deviation) < EXACT)

    @property
    def floor(self) -> str:
        """The bias in words: what no averaging removes; `apparent` where slow chains may feign it."""
        text = percent(self.bias) if self.biased else f"< {percent(self.limit)}"
        return f"{text} (apparent)" if self.persistent else text

    @property
    def limit(self) -> float:
        """What the bias is, or at most is where it is not told apart from none."""
        return self.bias if self.biased else max(self.bias, SEEN * self.bias_std_error)

    def error(self, budget: Any) -> Any:
        """Relative root-mean-square error of the mean of the gradients that so many seconds buy."""
        return np.sqrt(self.bias**2 + self.deviation**2 * self.step_s / budget)

    def most(self, budget: float) -> float:
        """The same with the largest bias that the replicates leave possible."""
        return float(np.sqrt(self.limit**2 + self.deviation**2 * self.step_s / budget))


def collect(cases: pd.DataFrame) -> list[Entry]:
    """The finished cases of each label and model taken together."""
    done = cases[(cases["status"] == "done") & (cases["gradient_norm"] > 0)]
    done = done.assign(
        backend=done["backend"].map(str),
        bias=done["bias"] / done["gradient_norm"],
        bias_std_error=done["bias_std_error"] / done["gradient_norm"],
        deviation=np.sqrt(done["variance"]) / done["gradient_norm"],
        persistent=done["persistent"].eq(True),
    )
    names = ["where", "label", "estimator", "backend", "persistent"]
    middle = done.groupby(names, sort=False, dropna=False)[list(Entry._fields[5:])].median()
    return [Entry(*row) for row in middle.reset_index().itertuples(index=False, name=None)]
