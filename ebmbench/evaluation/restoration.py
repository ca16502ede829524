"""How well a model restores rows of which something is lost: denoising and imputation.

A bit is restored as what the model finds likelier given all that is left, a real unit as its mean. Of a
model that is the law of the data no other guess is right more often, or nearer on average. Beside it
stands what a unit's base rate and what is left of that unit say, without a word of the others.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ebmbench.evaluation.damage import Damaged
from ebmbench.kernels.api import Backend
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.partition import BaseRates
from ebmbench.randomness import Key, Stream, check_seed
from ebmbench.samplers.posterior import (
    Restoring,
    check_restores,
    check_sweeps,
    independent_means,
    posterior_means,
)

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


class Distance(NamedTuple):
    """square: the mean squared distance of the counted real units; its standard error as of `Score`."""

    square: float
    square_std_error: float | None


class Restored(NamedTuple):
    """means: of units given what is left, of a bit the probability of 1, float64 [n_rows, n_visible].

    model, base_rates: their scores; fewer, fewer_std_error: by how much the model's share of wrong bits,
    or mean squared distance, is below that of the base rates, each row against itself; damaged: that of
    the counted units before, None where they were missing; n_counted: units.
    """

    means: np.ndarray
    model: Score | Distance
    base_rates: Score | Distance
    fewer: float
    fewer_std_error: float | None
    damaged: float | None
    n_counted: int

    @property
    def gain(self) -> bool:
        """Whether the model's loss is less than the base rates', by three standard errors."""
        return self.fewer_std_error is not None and self.fewer > 3.0 * self.fewer_std_error


def check(model: Restoring, damaged: Damaged, base: BaseRates, sweeps: int, seed: int) -> None:
    """`UserError` for what `restore` cannot do."""
    check_restores(model)
    real = isinstance(model, GaussianRBM)
    kinds = ("bits", "real units") if real else ("real units", "bits")
    sentence = f"the rows were damaged as {kinds[0]}, but the model's visible units are {kinds[1]}"
    require(damaged.real == real, sentence)
    check_rows(damaged.rows, model.n_visible, binary=not real, real=real)
    wanted = (2, model.n_visible) if real else (model.n_visible,)
    advice = f"; see base_rates(rows, source, {model.kind!r})" if real else ""
    sentence = f"base rates must be {list(wanted)}, but are {list(base.bias.shape)}{advice}"
    require(base.bias.shape == wanted, sentence)
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
    found = []
    for first in range(0, len(damaged.rows), _BLOCK):
        here = damaged.evidence[..., first : first + _BLOCK, :]
        key = Key(seed, Stream.SAMPLES, chain=first)
        found.append(posterior_means(k, model, here, base.bias, sweeps, key))
        finished(len(found[-1]))
    means = np.concatenate(found)
    alone = independent_means(base.bias, damaged.evidence)
    lost = np.isnan(damaged.seen[damaged.counted]).any()
    return Restored(
        means,
        score(means, damaged),
        score(alone, damaged),
        *fewer(means, alone, damaged),
        None if lost else _share(_losses(damaged.seen, damaged), damaged)[0],
        int(damaged.counted.sum()),
    )


def score(means: np.ndarray, damaged: Damaged) -> Score | Distance:
    """Of anybody's means of units given what is left, of a bit its probability, [n_rows, n_visible]."""
    loss = _share(_losses(means, damaged), damaged)
    return Distance(*loss) if damaged.real else Score(*loss, _nats(means, damaged.rows, damaged.counted))


def fewer(means: np.ndarray, others: np.ndarray, damaged: Damaged) -> tuple[float, float | None]:
    """By how much the share of wrong bits, or the squared distance, is below others', and its std. error.

    Over rows, each against itself; None of a single row.
    """
    return _share(_losses(others, damaged) - _losses(means, damaged), damaged)


def _losses(means: np.ndarray, damaged: Damaged) -> np.ndarray:
    """Of each row how many of the counted bits are wrong, or its counted units' squared distance."""
    rows, counted = damaged.rows, damaged.counted
    if damaged.real:
        return np.where(counted, (means - rows) ** 2, 0.0).sum(axis=1)
    return (((means > 0.5) != rows) & counted).sum(axis=1)


def _share(numbers: np.ndarray, damaged: Damaged) -> tuple[float, float | None]:
    """Sum of numbers, [n_rows], over that of counted units, and a ratio's standard error, over rows."""
    counts = damaged.counted.sum(axis=1)
    share, n = float(numbers.sum() / counts.sum()), len(counts)
    if n == 1:
        return share, None
    spread = np.sqrt(((numbers - share * counts) ** 2).sum() * n / (n - 1))
    return share, float(spread / counts.sum())


def _nats(p: np.ndarray, rows: np.ndarray, counted: np.ndarray) -> float:
    right = np.where(rows == 1, p, 1.0 - p)[counted]
    return float(np.log(np.maximum(right, _LEAST)).mean())
