"""Means of columns over rows, of one set or of two against each other."""

import numpy as np

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.integers import COLUMNS
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.threads import columns_of


@inner
def _add_columns(rows, first, sums):
    for r in range(rows.shape[0]):
        row = rows[r, first : first + sums.size]
        for i in range(sums.size):
            sums[i] += row[i]


@jit
def contrast_means(plus, minus, first, last, contrast, mean):
    """Of the columns [first, last): means of plus minus those of minus, and half their sum.

    Zero where there are no rows, and for columns that neither has.
    """
    end = max(first, min(last, plus.shape[1]))
    contrast[end:last] = mean[end:last] = np.float32(0.0)
    sums = np.zeros((2, end - first))
    _add_columns(plus, first, sums[0])
    _add_columns(minus, first, sums[1])
    for i in range(end - first):
        one, other = sums[0, i] / max(plus.shape[0], 1), sums[1, i] / max(minus.shape[0], 1)
        contrast[first + i] = one - other
        mean[first + i] = (one + other) / 2


@inner
def phase_means(share, shares, plus, minus, p_plus, p_minus, b, b_mean, c, c_mean):
    """`contrast_means` of a share of the columns of both layers."""
    contrast_means(plus, minus, *columns_of(share, shares, b.size, COLUMNS), b, b_mean)
    contrast_means(p_plus, p_minus, *columns_of(share, shares, c.size, COLUMNS), c, c_mean)


@jit
def mean_rows(p, zero, out):
    """The mean of the rows of p, zero where there is none; zero: as many zeros as p has columns."""
    rows = p.shape[0]
    add_rows(zero, p, np.ones(rows, np.uint8), np.empty(rows, np.int32), out)
    for j in range(out.size):
        out[j] /= np.float32(max(rows, 1))
