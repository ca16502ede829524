"""What can be said of a generator whose density is not known: four views of its samples.

Parzen windows, with their caveat and yardsticks; distances to the nearest training row, beside those of
rows that were held out, so that memorising shows; and MMD, whose p-value means what it says.
"""

from dataclasses import dataclass

import numpy as np

from ebmbench.evaluation.distances import nearest
from ebmbench.evaluation.mmd import MMD, mmd
from ebmbench.evaluation.parzen import Parzen, parzen, split
from ebmbench.kernels.api import Backend
from ebmbench.models.gan import GAN, latent
from ebmbench.models.model import Array
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.randomness import Key, Stream, check_seed, permutation

SAMPLES = 10_000  # as Goodfellow et al. 2014
LOOKED_UP = 1000  # rows whose nearest training row is searched for, and of each kind that MMD compares
CENTRES = 500
_TOGETHER = 1000  # rows that a generator makes at once


@dataclass(frozen=True, eq=False)
class Yardsticks:
    """What the data themselves score: the same figures as `GANScores`, of others than the model.

    train: as many training rows as there are samples; centres: those of k-means; nearest: float64
    [rows], distances of test rows to the nearest training row; mmd: of training and test rows.
    """

    train: Parzen
    centres: Parzen
    nearest: Array
    mmd: MMD


@dataclass(frozen=True, eq=False)
class GANScores:
    """How a generator's samples compare with data, and how data do.

    parzen: log density of test rows under samples; nearest: float64 [rows], distances of samples to the
    nearest training row; mmd: of samples and test rows.
    """

    parzen: Parzen
    nearest: Array
    mmd: MMD
    yardsticks: Yardsticks

    @property
    def facts(self) -> dict[str, float]:
        """Figures for a row; nats, distances in units of the data, MMD² without a unit."""
        beside = self.yardsticks
        return {
            "parzen": self.parzen.mean,
            "parzen_std_error": self.parzen.std_error,
            "parzen_sigma": self.parzen.sigma,
            "parzen_samples": self.parzen.n_samples,
            "parzen_train": beside.train.mean,
            "parzen_centres": beside.centres.mean,
            "nearest_median": float(np.median(self.nearest)),
            "nearest_least": float(self.nearest.min()),
            "nearest_test_median": float(np.median(beside.nearest)),
            "nearest_test_least": float(beside.nearest.min()),
            "mmd_squared": self.mmd.squared,
            "mmd_p_value": self.mmd.p_value,
            "mmd_squared_train": beside.mmd.squared,
            "mmd_p_value_train": beside.mmd.p_value,
        }


def generate(k: Backend, gan: GAN, count: int, seed: int, first: int = 0) -> Array:
    """Samples number first, first + 1, ... of a seed, float32 [count, n_visible].

    Their noise is not that of training. Sample r is the same however many are asked for.
    """
    require(count >= 1, f"the number of samples must be at least 1, but is {count}")
    check_seed(seed)
    generator, found = k.put(gan.generator), []
    for start in range(first, first + count, _TOGETHER):
        z = latent(
            Key(seed, Stream.SAMPLES, chain=start), min(_TOGETHER, first + count - start), gan.n_latent
        )
        rows = k.outputs(generator, k.forward(generator, k.put_rows(z)))
        found.append(k.get_rows(rows).astype(np.float32))
    return np.concatenate(found)


def measure(train: Array, test: Array, samples: int = SAMPLES, seed: int = 0) -> Yardsticks:
    """Once for a data set; `samples` and `seed` as `evaluate_gan` is to have them.

    k-means is scikit-learn's, in small batches (Sculley 2010), with `CENTRES` centres at most.
    """
    from sklearn.cluster import MiniBatchKMeans  # slow to import, and rarely needed

    train, test = (check_rows(rows, real=True) for rows in (train, test))
    validation, scored = split(test)
    some = _some(train, samples, seed)
    centres = MiniBatchKMeans(
        min(CENTRES, len(train)), batch_size=1024, max_iter=5, n_init=1, random_state=0
    ).fit(train.astype(np.float32))
    looked_up = _some(test, LOOKED_UP, seed)
    return Yardsticks(
        parzen(some, validation, scored),
        parzen(centres.cluster_centers_, validation, scored),
        nearest(looked_up, train),
        mmd(some[:LOOKED_UP], looked_up, seed=seed),
    )


def evaluate_gan(
    k: Backend,
    gan: GAN,
    train: Array,
    test: Array,
    samples: int = SAMPLES,
    seed: int = 0,
    yardsticks: Yardsticks | None = None,
) -> GANScores:
    """Judge a GAN by `samples` of its samples against rows of data, [n, n_visible].

    train: what it was trained on; test: held out, of which a tenth chooses the Parzen window's sigma;
    yardsticks: what `measure` gave, by default measured anew.
    """
    train, test = (check_rows(rows, gan.n_visible, real=True) for rows in (train, test))
    validation, scored = split(test)
    made = generate(k, gan, samples, seed)
    return GANScores(
        parzen(made, validation, scored),
        nearest(made[:LOOKED_UP], train),
        mmd(made[:LOOKED_UP], _some(test, LOOKED_UP, seed), seed=seed),
        yardsticks or measure(train, test, samples, seed),
    )


def _some(rows: Array, count: int, seed: int) -> Array:
    """As many rows as that, or all, drawn without replacement."""
    return rows[permutation(Key(seed, Stream.RELABELLING), len(rows))[:count]]
