"""Jobs of models some of whose units are hidden: half-sweeps, and the posterior by mean field."""

import math

from ebmbench.errors import UserError
from ebmbench.kernels.api.device import Device, Handle, Rows
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, check_seed


class Deep(Device):
    """See the module."""

    def sample_hidden(self, model: Handle, v: Rows, key: Key, beta: float = 1.0) -> Rows:
        """h ~ p(h|v) at inverse temperature beta, uint8 [B, n_hidden]: the first half of `gibbs`' sweep.

        Row r is chain key.chain + r and sees the uniforms of layer HIDDEN at step key.step.
        """
        self._check(v, model.n_visible, "v")
        return self._half("sample_hidden", model, v, key, beta)

    def sample_visible(self, model: Handle, h: Rows, key: Key, beta: float = 1.0) -> Rows:
        """v ~ p(v|h), [B, n_visible]: the second half, with the uniforms of layer VISIBLE.

        uint8; of Gaussian units float32, with their noise.
        """
        self._check(h, model.n_hidden, "h")
        return self._half("sample_visible", model, h, key, beta)

    def _half(self, job: str, model: Handle, rows: Rows, key: Key, beta: float) -> Rows:
        if not (beta > 0 and math.isfinite(beta)):
            raise UserError(f"the inverse temperature must be positive and finite, but is {beta}")
        check_seed(key.seed)
        return self._job(job, model)(model, rows, key, beta)

    def mean_field(
        self, model: Handle, v: Rows, others: Rows, sweeps: int, tolerance: float = 0.0
    ) -> tuple[Rows, int]:
        """The means of a factorial posterior, see `mean_field` of `models.dbm` and of `models.general`.

        model: the `whole` one; v: [B, n], binary or in [0, 1], of its first n visible units; others:
        float32 [B, n_visible - n], means to start from (left as they are), those of a DBM's even layers
        or of a general machine's hidden units. Ends after `sweeps` >= 1 updates, or the first in which
        none of them moved by more than `tolerance`. Returns float32 [B, n_visible], v first, and the
        number of updates. Of a DBM all rows end together, and a device may look at the tolerance only
        now and then; of a Boltzmann machine each row ends by itself, and the number is the largest.
        With a tolerance of 0 a device may say that all updates were made, as if none had been idle.
        """
        if model.kind not in (RBM.kind, BoltzmannMachine.kind):
            raise UserError(f"mean field is of a DBM or a Boltzmann machine, not of {model.kind}")
        if v.ndim != 2 or not 1 <= v.shape[1] <= model.n_visible:
            raise UserError(f"v must be rows of 1 to {model.n_visible} units, but has {list(v.shape)}")
        self._check(v, v.shape[1], "v")
        self._check(others, model.n_visible - v.shape[1], "the other means")
        if len(v) != len(others) or len(v) == 0:
            raise UserError(
                f"{len(v)} rows of v need as many of the other means, not {len(others)}, and at least one"
            )
        if sweeps < 1 or not tolerance >= 0:
            raise UserError(
                f"mean field needs at least 1 update and a tolerance >= 0, not {sweeps} and {tolerance}"
            )
        return self._job("mean_field", model)(model, v, others, sweeps, tolerance)
