"""Maximum mean discrepancy: whether two sets of rows come from one law, with a test's p-value."""

from dataclasses import dataclass

import numpy as np

from ebmbench.evaluation.distances import squared_distances
from ebmbench.models.model import Array
from ebmbench.options import require
from ebmbench.randomness import Key, Stream, check_seed, permutation

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)  # bandwidths in units of the median distance
PERMUTATIONS = 500


@dataclass(frozen=True)
class MMD:
    """squared: the unbiased MMD², which may fall below 0; p_value: of the hypothesis of one law.

    bandwidth: the median distance; n_first, n_second: rows; permutations: on which p_value rests, at
    least 1 / (permutations + 1).
    """

    squared: float
    p_value: float
    bandwidth: float
    n_first: int
    n_second: int
    permutations: int


def mmd(first: Array, second: Array, permutations: int = PERMUTATIONS, seed: int = 0) -> MMD:
    """Unbiased MMD² (Gretton et al. 2012, eq. 3) between two tables of at least 2 rows, and its test.

    The kernel is the mean of Gaussian ones, exp(-|x - y|² / (2 s²)), with s the median distance between
    pooled rows (ibid., section 8) times `SCALES`, so that no single scale decides. The p-value is exact
    in the sense of a permutation test: the share of random relabellings of the pooled rows, the given
    labels among them, whose MMD² is at least the one found. Needs (n_first + n_second)² numbers.
    """
    for rows in (first, second):
        require(len(rows) >= 2, f"MMD needs at least 2 rows of each, not {len(rows)}")
    require(permutations >= 1, f"the number of permutations must be at least 1, but is {permutations}")
    check_seed(seed)
    kernel, bandwidth = _kernel(np.concatenate([first, second]))
    m, n = len(first), len(second)
    labels = np.zeros((m + n, permutations + 1))
    labels[:m, 0] = 1.0
    for number in range(permutations):
        order = permutation(Key(seed, Stream.RELABELLING, number), m + n)
        labels[order[:m], number + 1] = 1.0
    values = _squared(kernel, labels, m, n)
    # Rounding must not tell apart what relabelling leaves as it is.
    p_value = (values >= values[0] - 1e-12).mean()
    return MMD(float(values[0]), float(p_value), bandwidth, m, n, permutations)


def _kernel(rows: Array) -> tuple[Array, float]:
    """The kernel of all pairs of rows, float64, and the median distance of two different ones."""
    squared = np.concatenate([found for _, found in squared_distances(rows, rows)]).astype(np.float64)
    squared = (squared + squared.T) / 2.0
    median = float(np.median(np.sqrt(squared[np.triu_indices(len(rows), 1)])))
    # Where most rows are alike, any bandwidth will do as long as it is one.
    bandwidth = median if median > 0 else 1.0
    kernel = np.zeros_like(squared)
    for scale in SCALES:
        kernel += np.exp(squared * (-0.5 / (scale * bandwidth) ** 2)) / len(SCALES)
    np.fill_diagonal(kernel, 0.0)  # eq. 3 leaves a row's kernel with itself out
    return kernel, bandwidth


def _squared(kernel: Array, labels: Array, m: int, n: int) -> Array:
    """MMD² for each column of labels, 1 for the first law's m rows and 0 for the second's n."""
    inside = kernel @ labels  # a row's sum over the first law's rows
    first = (labels * inside).sum(axis=0)
    across = ((1.0 - labels) * inside).sum(axis=0)
    second = kernel.sum() - first - 2.0 * across
    return first / (m * (m - 1)) + second / (n * (n - 1)) - 2.0 * across / (m * n)
