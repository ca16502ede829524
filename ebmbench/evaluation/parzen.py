"""Parzen windows: rows' log density under Gaussian kernels about a model's samples.

The score by which GANs were first compared (Breuleux, Bengio & Vincent 2011; Goodfellow et al. 2014,
table 1). It is comparable only with scores of as many samples made in the same way: see `CAVEAT`.
"""

from dataclasses import dataclass

import numpy as np

from ebmbench.evaluation.distances import squared_distances
from ebmbench.models.model import Array
from ebmbench.options import require

CAVEAT = (
    "A Parzen window is not the model's log-likelihood: in hundreds of dimensions it stays far below it "
    "for any number of samples that can be had, and it ranks models wrongly: on MNIST the centres of "
    "k-means beat the data's own rows (Theis, van den Oord & Bethge 2016, section 3.2)."
)
SIGMAS = np.geomspace(0.01, 10.0, 31)  # ten a decade
VALIDATION = 1000  # rows at most that choose sigma


@dataclass(frozen=True)
class Parzen:
    """mean: nats a row over n_rows, a log density; std_error: over the rows; sigma: of the kernel."""

    mean: float
    std_error: float
    sigma: float
    n_samples: int
    n_rows: int


def log_densities(samples: Array, rows: Array, sigmas: Array) -> Array:
    """log of the mean over samples s of N(x; s, sigma² I), nats, float64 [sigmas, rows].

    The nearest sample's term is taken out of each sum, so that none under- or overflows.
    """
    sigmas = np.asarray(sigmas, float)
    require(bool((sigmas > 0).all()), "sigma must be greater than 0")
    found = np.empty((len(sigmas), len(rows)))
    for part, squared in squared_distances(rows, samples):
        least = squared.min(axis=1)
        squared -= least[:, None]
        for n, sigma in enumerate(sigmas):
            half = 0.5 / sigma**2
            # Beyond -100 a term is nothing beside the nearest sample's, and float32 has none left.
            terms = np.exp(np.maximum(squared * np.float32(-half), np.float32(-100.0)))
            found[n, part] = np.log(terms.sum(axis=1, dtype=np.float64)) - half * least
    constant = 0.5 * rows.shape[1] * np.log(2.0 * np.pi * sigmas**2) + np.log(len(samples))
    return found - constant[:, None]


def split(rows: Array) -> tuple[Array, Array]:
    """Every tenth row, at most `VALIDATION`, to choose sigma with, and all the others to be scored."""
    require(len(rows) >= 2, "a Parzen window needs at least 2 rows: one to choose sigma, one to score")
    chosen = np.zeros(len(rows), bool)
    chosen[np.arange(0, len(rows), 10)[:VALIDATION]] = True
    return rows[chosen], rows[~chosen]


def parzen(samples: Array, validation: Array, rows: Array, sigmas: Array = SIGMAS) -> Parzen:
    """The score of rows under samples, with the sigma of the grid that suits `validation` best."""
    best = int(log_densities(samples, validation, sigmas).mean(axis=1).argmax())
    found = log_densities(samples, rows, sigmas[best : best + 1])[0]
    error = found.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else float("inf")
    return Parzen(float(found.mean()), float(error), float(sigmas[best]), len(samples), len(rows))
