"""What all jobs stand on: the vocabulary, the look-up of a job, moving data to and from the device."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmbench.errors import NotFinite, Unavailable, UserError
from ebmbench.models.arithmetic import ARITHMETICS, rounded
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.mlp import MLP
from ebmbench.models.model import Model
from ebmbench.models.rbm import RBM
from ebmbench.randomness import Key, check_deviation, check_seed
from ebmbench.scalar import LARGEST_PARAMETER

# Log odds, or a precision, beside which whatever a model says is lost, and of which float32 holds sums.
KNOWN = 1e30
Handle = Any  # a model on the device: has .kind, .n_visible, .n_hidden and .arithmetic
Rows = Any  # a two-dimensional array on the device
Tree = dict[str, Any]


@dataclass(frozen=True)
class Device:
    """A backend's jobs by (job, kind of model), and by name those that need no model.

    A missing pair raises `Unavailable`. fused: what a backend does in one call that is several jobs, and
    which nobody need have.
    """

    name: str
    jobs: Mapping[tuple[str, str], Callable[..., Any]]
    device: Mapping[str, Callable[..., Any]]
    fused: Mapping[tuple[str, str], Callable[..., Any]]

    def _job(self, job: str, model: Handle) -> Callable[..., Any]:
        try:
            return self.jobs[job, model.kind]
        except KeyError:
            raise Unavailable(f"backend {self.name} has no {job} for {model.kind}") from None

    @staticmethod
    def _check(rows: Rows, units: int, name: str) -> None:
        if rows.ndim != 2 or rows.shape[1] != units:
            raise UserError(f"{name} must have the shape [rows, {units}], but has {list(rows.shape)}")
        if isinstance(rows, np.ndarray) and not rows.flags.c_contiguous:
            raise UserError(f"{name} must be rows that lie one after the other: pass them to put_rows")

    @staticmethod
    def _check_sweeps(model: Handle, sweeps: int, beta: float) -> None:
        if sweeps < 1:
            raise UserError(f"the number of sweeps must be at least 1, but is {sweeps}")
        if not math.isfinite(beta):
            raise UserError(f"the inverse temperature must be finite, but is {beta}")
        if model.kind == GaussianRBM.kind and beta <= 0:
            raise UserError(
                f"the inverse temperature of Gaussian units must be greater than 0, but is {beta}"
            )

    def put(self, model: Model | MLP, arithmetic: str = "float") -> Handle:
        """Copy a model to the device in one of the `ARITHMETICS`, rounded as `models.arithmetic` says.

        float: float32. grid: multiples of 2**-16, whose sums over binary states are exact. bfloat16 and
        bfloat16x2: W to within 2**-8 and 2**-17 of each weight, as one or two bfloat16 terms, for tensor
        cores; sums in float32. All but float are for sums over binary states: `Unavailable` where the
        visible units are not.
        """
        if arithmetic not in ARITHMETICS:
            raise UserError(f"arithmetic must be one of {', '.join(ARITHMETICS)}, not {arithmetic}")
        for name, values in model.parameters.items():
            if np.abs(values).max() > LARGEST_PARAMETER:
                advice = "; scale the columns" if name == "precision" else ""
                raise NotFinite(f"{name} holds a value beyond {LARGEST_PARAMETER:g}{advice}")
        precision = getattr(model, "precision", None)
        if precision is not None and precision.min() * LARGEST_PARAMETER < 1.0:
            raise NotFinite(f"precision holds a value below {1 / LARGEST_PARAMETER:g}; scale the columns")
        if arithmetic != "float":
            if not isinstance(model, RBM):
                raise Unavailable(f"{arithmetic} arithmetic does not apply to {model.kind}")
            model = rounded(model, arithmetic)
        return self._job("put", model)(model, arithmetic)

    def get(self, model: Handle) -> Any:
        """Copy a model back; `UserError` where a parameter is no longer finite."""
        return self._job("get", model)(model)

    def put_rows(self, rows: np.ndarray) -> Rows:
        """Copy rows of finite numbers to the device: uint8 if all are 0 or 1, else float32."""
        return self.device["put_rows"](rows)

    def put_evidence(self, evidence: np.ndarray) -> Rows:
        """Copy evidence about units, [B, n] without NaN, to the device for `posterior`; +-inf: known."""
        given = np.asarray(evidence, np.float64)
        if given.ndim != 2 or np.isnan(given).any():
            raise UserError(f"evidence must be numbers [rows, units], not {list(given.shape)} with a NaN")
        # Compiled code has a version for each layout.
        bounded = np.ascontiguousarray(np.clip(given, -KNOWN, KNOWN))
        return self.device["put_evidence"](bounded)

    def get_rows(self, rows: Rows) -> np.ndarray:
        """Copy rows back to a NumPy array."""
        return self.device["get_rows"](rows)

    def get_tree(self, model: Handle, tree: Tree) -> dict[str, np.ndarray]:
        """Copy a tree in the shape of the model's parameters back, without a device's padding."""
        return self._job("get_tree", model)(model, tree)

    def put_tree(self, model: Handle, tree: Mapping[str, np.ndarray]) -> Tree:
        """Copy what `get_tree` gave to the device; `UserError` where a shape is not the model's."""
        like = self.get_tree(model, self._job("zeros", model)(model))
        for name, values in tree.items():
            if name not in like or np.shape(values) != like[name].shape:
                wanted = like[name].shape if name in like else "no such parameter"
                raise UserError(f"{name} has the shape {np.shape(values)}, but the model {wanted}")
        return self._job("put_tree", model)(model, tree)

    def put_index(self, index: np.ndarray) -> Any:
        """Copy numbers of rows, int64 [n], to the device, for many calls of `take`."""
        return self.device["put_index"](np.ascontiguousarray(index, np.int64))

    def take(self, rows: Rows, index: Any, first: int = 0, count: int | None = None) -> Rows:
        """The rows with the numbers index[first : first + count], by default all, as a new array.

        index: int64 [n] on the host, or of `put_index`.
        """
        count = len(index) - first if count is None else count
        return self.device["take"](rows, index, first, count)

    def stack(self, first: Rows, second: Rows) -> Rows:
        """The rows of both, the first's on top, as a new array: uint8 if both are, else float32."""
        self._check(second, first.shape[1], "second")
        return self.device["stack"](first, second)

    def add_noise(self, rows: Rows, deviation: float, key: Key) -> Rows:
        """The rows plus deviation times standard normal numbers, float32 of their shape.

        Unit i of row r gets `normal.normal` of its uniform, of chain key.chain + r at step key.step.
        """
        self._check(rows, rows.shape[rows.ndim - 1], "rows")
        check_deviation(deviation)
        check_seed(key.seed)
        return self.device["add_noise"](rows, deviation, key)

    def synchronize(self) -> None:
        """Wait until everything that was asked for is done; call before reading a clock."""
        self.device["synchronize"]()

    def describe(self) -> dict[str, Any]:
        """Facts about the device, for the row of a measurement."""
        return self.device["describe"]()
