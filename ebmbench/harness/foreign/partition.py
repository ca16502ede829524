"""Log Z by code of the user's own.

    log_z(W, b, c, bias, seed, **settings)

returns an estimate of an RBM's log Z in nats and its standard error, 0 where it is exact; W, b and c are
float64, and bias, [n_visible], has the log odds of the data's base rates, or zeros where there are none.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ebmbench.errors import UserError
from ebmbench.harness import user_code
from ebmbench.kernels.api import Backend
from ebmbench.models.model import Model
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.partition import BaseRates, LogZ

SIGNATURE = "log_z(W, b, c, bias, seed)"


@dataclass(frozen=True)
class Method:
    """settings: further arguments of `log_z`."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict, hash=False)

    def estimate(self, k: Backend, model: Model, config: Any, base: BaseRates, seed: int) -> LogZ:
        """As a method of ours; `UserError` for what is no estimate."""
        require(isinstance(model, RBM), f"{self.name} is other software, which looks at RBMs here")
        given = {name: x.copy() for name, x in model.parameters.items()}
        log_z = user_code.function(self.name, SIGNATURE, self.settings)
        found = log_z(**given, bias=base.bias.copy(), seed=seed, **self.settings)
        try:
            value, std_error = (float(x) for x in found)
        except (TypeError, ValueError, RuntimeError) as error:
            told = f"log_z of {self.name} must return an estimate and its standard error: {error}"
            raise UserError(told) from None
        right = bool(np.isfinite(value)) and 0.0 <= std_error < float("inf")
        require(right, f"log_z of {self.name} returned {value:g} ± {std_error:g}")
        return LogZ(self.name, value, std_error, None, None, base.source)
