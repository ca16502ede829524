"""Noise-contrastive estimation: a classifier's gradient, weighted moments of data and of noise."""

from typing import NamedTuple

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.api import NoiseContrast
from ebmbench.kernels.cpu.contrast import Contrast
from ebmbench.kernels.cpu.device import aligned_empty, aligned_zeros
from ebmbench.kernels.cpu.means import contrast_means, mean_rows
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.statistics import SOFTPLUS_BLOCK, sum_softplus
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.scalar import probability


@jit(parallel=True)
def _log_odds(W, b, c, v, offset, n_hidden, p, g):
    """g = -F(v) - offset and p = p(h|v), each product formed once."""
    for r in prange(v.shape[0]):
        index = np.empty(v.shape[1], np.int32)
        x = p[r]
        add_rows(c, W, v[r], index, x)
        total = sum_softplus(x, n_hidden, 1.0, np.empty((2, SOFTPLUS_BLOCK)))
        for i in range(v.shape[1]):
            total += np.float64(b[i]) * np.float64(v[r, i])
        g[r] = total - offset[r]
        for j in range(n_hidden):
            x[j] = probability(x[j])
        x[n_hidden:] = np.float32(0.0)


@jit
def _weigh(v, p, weight, sums):
    """Each row of p times its weight; sums gets the weighted sum of v."""
    for r in range(v.shape[0]):
        w = np.float32(weight[r])
        for j in range(p.shape[1]):
            p[r, j] *= w
        for i in range(v.shape[1]):
            sums[i] += w * v[r, i]


class Answers(NamedTuple):
    """What the classifier says to the rows of one side, as shares of a mean over data.

    value: log probability of the right answers; weight: probability of the wrong ones; curvature: the sum
    of what both have as their product; weights, float64 [rows]: wrong ones of each row, as a `Contrast`
    takes them, which divides by the side's own number of rows.
    """

    value: float
    weight: float
    curvature: float
    weights: np.ndarray

    @classmethod
    def of(cls, right: np.ndarray, rows: int) -> "Answers":
        """Of each row's log odds of the right answer, float64, and the number of rows of data."""
        wrong = np.exp(-np.logaddexp(0.0, right))  # sigmoid(-right), exact in both tails
        return cls(
            -float(np.logaddexp(0.0, -right).sum()) / rows,
            float(wrong.sum()) / rows,
            float((wrong * -np.expm1(-np.logaddexp(0.0, right))).sum()) / rows,
            wrong * (len(right) / rows),
        )


class _Side:
    """One side of the classifier: sign +1 for data, -1 for noise."""

    def __init__(self, model, v, offset, sign: float, rows: int) -> None:
        self.v = v
        self.p = aligned_empty(len(v), model.c.size)
        g = np.empty(len(v))
        work = layer_work(len(v), *model.W.shape)
        launch(_log_odds, work, model.W, model.b, model.c, v, offset, model.n_hidden, self.p, g)
        self.answers = Answers.of(sign * g, rows)
        self.h = np.empty_like(model.c)
        mean_rows(self.p, aligned_zeros(model.c.size), self.h)
        self.b = np.zeros_like(model.b)
        _weigh(v, self.p, self.answers.weights, self.b)
        self.b /= np.float32(len(v))
        self.c = np.empty_like(model.c)
        mean_rows(self.p, aligned_zeros(model.c.size), self.c)


def outcome(plus: Answers, minus: Answers) -> tuple[float, float, float]:
    """The objective, and log Z's derivatives, as `NoiseContrast` has them."""
    value, curvature = plus.value + minus.value, plus.curvature + minus.curvature
    return value, minus.weight - plus.weight, curvature


def nce(model, data, noise, data_offset, noise_offset) -> NoiseContrast:
    """See `Backend.nce`."""
    plus = _Side(model, data, data_offset, 1.0, len(data))
    minus = _Side(model, noise, noise_offset, -1.0, len(data))
    b, b_mean = np.empty_like(model.b), np.empty_like(model.b)
    contrast_means(data, noise, 0, b.size, b, b_mean)
    return NoiseContrast(
        {"W": Contrast(data, noise, plus.p, minus.p), "b": plus.b - minus.b, "c": plus.c - minus.c},
        {"b": b_mean, "c": (plus.h + minus.h) / 2},
        *outcome(plus.answers, minus.answers),
    )


JOBS = {"nce": nce}
