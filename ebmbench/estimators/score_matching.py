"""Score matching (Hyvärinen 2005; denoising, Vincent 2011): the model's slope meets that of the data.

The closed form needs no noise, but sees the data's density as it is; the denoising form fits the
density of the data with normal noise of standard deviation `denoising`.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmbench.estimators._units import check_visible
from ebmbench.kernels.api import Backend, Handle, Rows, Tree
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.model import Model
from ebmbench.options import require
from ebmbench.randomness import Key, Stream

NAME = "score_matching"


@dataclass(frozen=True)
class Config:
    """denoising: 0 for the closed form, else the standard deviation of the noise, in the data's units."""

    denoising: float = 0.0

    def __post_init__(self) -> None:
        require(
            self.denoising >= 0 and math.isfinite(self.denoising),
            f"denoising of estimator {NAME} must be at least 0 and finite, but is {self.denoising}",
        )

    @property
    def label(self) -> str:
        """The name in tables and figures."""
        return f"DSM {self.denoising:g}" if self.denoising else "SM"


def init(k: Backend, model: Model, config: Config, key: Key, base: np.ndarray) -> None:
    """`Unavailable` where the visible units are not Gaussian."""
    check_visible(model, GaussianRBM.visible, NAME)


def step(
    k: Backend, model: Handle, config: Config, state: None, batch: Rows, key: Key
) -> tuple[Tree, None, dict[str, Any]]:
    """One gradient; see the package's docstring."""
    noise = key._replace(stream=Stream.DENOISING)
    (gradient, means), value = k.score_matching(model, batch, config.denoising, noise)
    return gradient, None, {"means": means, "objective": value}
