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
from ebmbench.models.dbm import DBM
from ebmbench.models.model import Model
from ebmbench.models.rbm import RBM
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.partition import BaseRates
from ebmbench.randomness import Key, Stream
from ebmbench.samplers.posterior import posterior_means

_BLOCK = 500  # rows whose chains walk at a time
_LEAST = 2.0**-52  # a probability of what came true, so that its log is finite


class Score(NamedTuple):
    """wrong: the share of the counted bits that are restored wrongly, and its standard error over rows.

    nats: mean log probability of the right value of a counted bit.
    """

    wrong: float
    std_error: float
    nats: float


class Restored(NamedTuple):
    """probability: of a bit being 1 given what is left, float64 [n_rows, n_visible].

    model, independent: scores of the model and of the base rates; damaged: the share of the counted bits
    that were wrong before, None where they were missing; n_counted: bits; gain: whether the model is
    wrong less often than the base rates, by three standard errors of the difference.
    """

    probability: np.ndarray
    model: Score
    independent: Score
    damaged: float | None
    n_counted: int
    gain: bool


def check_restores(model: Model | DBM) -> None:
    """`UserError` for a model that has no Gibbs sampler of binary visible units."""
    fits = isinstance(model, RBM | DBM)
    require(fits, f"rows are restored by an RBM or a DBM of binary units, not by a {model.kind}")


def restore(
    k: Backend,
    model: RBM | DBM,
    rows: np.ndarray,
    damaged: Damaged,
    base: BaseRates,
    sweeps: int = 200,
    seed: int = 0,
    finished: Callable[[int], None] = lambda count: None,
) -> Restored:
    """What the model makes of damaged rows, held against the rows as they were.

    rows: binary [n_rows, n_visible]; base: of units by themselves, where chains start, too; sweeps: of
    each row's chain, see `posterior_means`; finished: told of rows as they are done.
    Raises `UserError` for what does not fit.
    """
    check_restores(model)
    rows = check_rows(rows, model.n_visible, binary=True)
    require(damaged.seen.shape == rows.shape, "the damaged rows are not those that are given")
    # Of a DBM nothing is known of the other even layers.
    whole = model.bipartite if isinstance(model, DBM) else model
    unknown = whole.n_visible - model.n_visible
    bias = np.pad(base.bias, (0, unknown))
    found = []
    for first in range(0, len(rows), _BLOCK):
        evidence = np.pad(damaged.evidence[first : first + _BLOCK], ((0, 0), (0, unknown)))
        key = Key(seed, Stream.SAMPLES, chain=first)
        found.append(posterior_means(k, whole, evidence, bias, sweeps, key)[:, : model.n_visible])
        finished(len(evidence))
    probability = np.concatenate(found)
    alone = expit(base.bias + damaged.evidence)
    missing = np.isnan(damaged.seen[damaged.counted]).any()
    by_model, by_base = (_wrong(p, rows, damaged.counted) for p in (probability, alone))
    counts = damaged.counted.sum(axis=1)
    fewer, std_error = _share(by_base - by_model, counts)
    return Restored(
        probability,
        Score(*_share(by_model, counts), _nats(probability, rows, damaged.counted)),
        Score(*_share(by_base, counts), _nats(alone, rows, damaged.counted)),
        None if missing else float((damaged.seen != rows)[damaged.counted].mean()),
        int(counts.sum()),
        fewer > 3.0 * std_error,
    )


def _wrong(p: np.ndarray, rows: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Bits of each row that are restored wrongly."""
    return (((p > 0.5) != rows) & counted).sum(axis=1)


def _share(numbers: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Sum of numbers over that of counts, both [n_rows], and its standard error over rows: a ratio's."""
    share, n = numbers.sum() / counts.sum(), len(counts)
    spread = np.sqrt(((numbers - share * counts) ** 2).sum() * n / (n - 1)) if n > 1 else np.inf
    return float(share), float(spread / counts.sum())


def _nats(p: np.ndarray, rows: np.ndarray, counted: np.ndarray) -> float:
    right = np.where(rows == 1, p, 1.0 - p)[counted]
    return float(np.log(np.maximum(right, _LEAST)).mean())
