"""How well a model restores rows of which something is lost: denoising and imputation.

A bit is restored as what the model finds likelier given all that is left. Of a model that is the law of
the data no other guess is right more often. Beside it stands what a unit's base rate and what is left of
that unit say, without a word of the others.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from ebmbench.evaluation.damage import Damaged
from ebmbench.kernels.api import Backend
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.partition import BaseRates
from ebmbench.randomness import Key, Stream, check_seed
from ebmbench.samplers.posterior import Restoring, check_restores, check_sweeps, posterior_means

_BLOCK = 500  # rows whose chains walk at a time
_LEAST = 2.0**-52  # a probability of what came true, so that its log is finite


class Score(NamedTuple):
    """wrong: the share of the counted bits that are restored wrongly.

    wrong_std_error: of that share over rows, None of a single row; nats: mean log probability of the
    right value of a counted bit. Both suffer where a model's chains are short or stay in a wrong mode.
    """

    wrong: float
    wrong_std_error: float | None
    nats: float


class Restored(NamedTuple):
    """probability: of a bit being 1 given what is left, float64 [n_rows, n_visible].

    model, base_rates: their scores; fewer, fewer_std_error: by how much the model's share of wrong bits
    is below that of the base rates, each row against itself; damaged: the share of the counted bits that
    were wrong before, None where they were missing; n_counted: bits.
    """

    probability: np.ndarray
    model: Score
    base_rates: Score
    fewer: float
    fewer_std_error: float | None
    damaged: float | None
    n_counted: int

    @property
    def gain(self) -> bool:
        """Whether the model is wrong less often than the base rates, by three standard errors."""
        return self.fewer_std_error is not None and self.fewer > 3.0 * self.fewer_std_error


def check(model: Restoring, damaged: Damaged, base: BaseRates, sweeps: int, seed: int) -> None:
    """`UserError` for what `restore` cannot do."""
    check_restores(model)
    check_rows(damaged.rows, model.n_visible, binary=True)
    fits = base.bias.shape == (model.n_visible,)
    require(fits, f"base rates {list(base.bias.shape)} do not fit {model.n_visible} visible units")
    check_sweeps(sweeps)
    check_seed(seed)


def restore(
    k: Backend,
    model: Restoring,
    damaged: Damaged,
    base: BaseRates,
    sweeps: int = 200,
    seed: int = 0,
    finished: Callable[[int], None] = lambda count: None,
) -> Restored:
    """What the model makes of damaged rows, held against the rows as they were.

    base: of units by themselves, where chains start, too; sweeps: of each row's chain, see
    `posterior_means`; finished: told of rows as they are done. Raises `UserError` for what does not fit.
    """
    check(model, damaged, base, sweeps, seed)
    rows, seen, evidence, counted = damaged
    found = []
    for first in range(0, len(rows), _BLOCK):
        here = evidence[first : first + _BLOCK]
        key = Key(seed, Stream.SAMPLES, chain=first)
        found.append(posterior_means(k, model, here, base.bias, sweeps, key))
        finished(len(here))
    probability = np.concatenate(found)
    alone = expit(base.bias + evidence)
    return Restored(
        probability,
        score(probability, damaged),
        score(alone, damaged),
        *fewer(probability, alone, damaged),
        None if np.isnan(seen[counted]).any() else float((seen != rows)[counted].mean()),
        int(counted.sum()),
    )


def score(probability: np.ndarray, damaged: Damaged) -> Score:
    """Of anybody's probabilities of a bit being 1 given what is left, [n_rows, n_visible]."""
    rows, _, _, counted = damaged
    wrong = _share(_wrong(probability, rows, counted), counted.sum(axis=1))
    return Score(*wrong, _nats(probability, rows, counted))


def fewer(probability: np.ndarray, others: np.ndarray, damaged: Damaged) -> tuple[float, float | None]:
    """By how much the share of wrong bits is below that of others' probabilities, and its standard error.

    Over rows, each against itself; None of a single row.
    """
    rows, _, _, counted = damaged
    by_us, by_them = (_wrong(p, rows, counted) for p in (probability, others))
    return _share(by_them - by_us, counted.sum(axis=1))


def _wrong(p: np.ndarray, rows: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Bits of each row that are restored wrongly."""
    return (((p > 0.5) != rows) & counted).sum(axis=1)


def _share(numbers: np.ndarray, counts: np.ndarray) -> tuple[float, float | None]:
    """Sum of numbers over that of counts, both [n_rows], and its standard error over rows: a ratio's."""
    share, n = float(numbers.sum() / counts.sum()), len(counts)
    if n == 1:
        return share, None
    spread = np.sqrt(((numbers - share * counts) ** 2).sum() * n / (n - 1))
    return share, float(spread / counts.sum())


def _nats(p: np.ndarray, rows: np.ndarray, counted: np.ndarray) -> float:
    right = np.where(rows == 1, p, 1.0 - p)[counted]
    return float(np.log(np.maximum(right, _LEAST)).mean())
