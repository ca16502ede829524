"""Which copies of a model's W serve a job: its transpose, and both as integers (see `integers`).

They are made when a job asks for them and stand until an update moves W, which then rewrites those that
were asked for since the update before (see `copies`). Whether a job takes them depends on the processor,
the model's size, its arithmetic and whether rows are binary, and on nothing that happened before; for
several sweeps on how many chains a group has, which changes no bit.
"""

from collections.abc import Callable

import numpy as np

from ebmbench.kernels.cpu import integers, tiles
from ebmbench.kernels.cpu.copies import Copies, step_of
from ebmbench.kernels.cpu.device import BINARY
from ebmbench.kernels.cpu.integers import LARGEST, LARGEST_SUM, NONE, Integers, common_step
from ebmbench.kernels.cpu.threads import group_size, split
from ebmbench.models.rbm import GRID_STEP, RBM

Form = Callable[[np.ndarray, float, Integers], Integers]

_LARGEST_TILED = 512  # chains: 1,000 of a 4096 x 4096 model take 1.5 times as long in groups of 64
_MANY = 16  # chains in a group: a trained model gains from 20 on, one whose units flip more from 8 on
_SHARE = 128  # columns of integers that are worth a thread of their own


def _integers(model, form: Form) -> tuple[Integers, Integers]:
    """W and its transpose, `NONE` on the grid where a weight is too large: a float32 is as exact."""
    if model.integers is None or model.integers[0] is not form:
        grid = model.arithmetic == "grid"
        exact = not grid or np.abs(model.W).max() <= LARGEST * GRID_STEP
        model.step = step_of(model.W)
        if grid and model.step > GRID_STEP:
            model.step = 0.0
        room = model.spare or (NONE, NONE)
        pair = [form(W, model.step, into) for W, into in zip((model.W, model.Wt), room, strict=True)]
        model.integers = form, pair if exact else (NONE, NONE)
    model.asked = True
    return model.integers[1]


def standing(model, chains: int, sweeps: int) -> tuple[Integers, Integers]:
    """W and its transpose for so many chains that walk together, so many sweeps; `NONE`: sums of float32.

    Those are where there is no matrix unit or where a single sweep would not repay that W is converted.
    Few chains follow what flips, unless what the unit takes stands already.
    """
    if sweeps < 2 or not tiles.allowed():
        return NONE, NONE
    laid_out = model.integers is not None and model.integers[0] is integers.laid_out
    return _integers(model, integers.laid_out if chains >= _MANY or laid_out else integers.listed)


def groups(model, chains: int, sweeps: int) -> tuple[Integers, Integers, int]:
    """What `standing` says, and how many of all chains walk together."""
    many = group_size(chains, _LARGEST_TILED)  # integers are read once a group
    up, down = standing(model, many, sweeps)
    return up, down, group_size(chains) if up is NONE else many


def for_states(model, *states: np.ndarray) -> tuple[Integers, Integers]:
    """W and its transpose for products with these rows, `NONE` for sums of float32."""
    for rows in states:
        if rows.dtype != BINARY:
            return NONE, NONE
    if model.kind != RBM.kind or not tiles.worth(model.W.size):
        return NONE, NONE
    return _integers(model, integers.laid_out)


def transposed(model, down: Integers) -> np.ndarray:
    """The transpose of W as float32; whatever was there where its integers `down` serve instead."""
    return model.Wt if down is NONE else model.stored


def split_layer(matrix: Integers, rows: int, columns: int) -> tuple[int, int]:
    """`threads.split`, for products by such a matrix."""
    if matrix is NONE:
        return split(rows, columns)
    return split(rows, columns, _SHARE, _LARGEST_TILED)


def to_rewrite(model) -> Copies:
    """The copies that an update is to write."""
    if model.integers is not None and model.asked and model.step > 0:
        form, (up, down) = model.integers
        if form is integers.laid_out and up is not NONE:
            return Copies(model.stored[:0], up.planes, down.planes, 1.0 / model.step)
    return Copies(model.stored, NONE.planes, NONE.planes, 0.0)


def rewritten(model, copies: Copies, largest: float, total: float) -> None:
    """Take note of what an update wrote, and of what W is now: see `copies.of_all`."""
    model.stale, model.asked = len(copies.Wt) == 0, False
    right = common_step(largest, max(model.W.shape)) == model.step and total <= LARGEST_SUM
    if not model.stale or not right:
        if len(copies.up) > 0:
            model.spare = model.integers[1]  # whose memory the next ones take
        model.integers = None
