"""Samples of a model as rows and as pictures."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ebmbench.errors import UserError
from ebmbench.files import write_atomically
from ebmbench.kernels.api import Backend
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.rbm import TwoLayers
from ebmbench.options import require
from ebmbench.randomness import Key, Stream
from ebmbench.samplers.gibbs import advance, start

PICTURES = (".png", ".svg", ".pdf")
ARRAYS = (".npz", ".npy")


class PictureShape(NamedTuple):
    """How a row becomes a picture: height, width, and whether it is stored by rows (C) or columns (F)."""

    height: int
    width: int
    order: str = "C"


def picture_shape(n_visible: int, shape: tuple[int, int] | None, order: str = "C") -> PictureShape:
    """`shape` if given, else a square where the number of units is one, else a single line.

    Raises `UserError` where the shape does not hold n_visible pixels.
    """
    if shape is None:
        side = int(np.sqrt(n_visible))
        shape = (side, side) if side * side == n_visible else (1, n_visible)
    if shape[0] * shape[1] != n_visible:
        raise UserError(
            f"pictures of {shape[0]}x{shape[1]} do not fit a model of {n_visible} visible units"
        )
    return PictureShape(*shape, order)


def draw(k: Backend, model: TwoLayers, count: int, sweeps: int, seed: int) -> np.ndarray:
    """The states of `count` independent chains after `sweeps` sweeps, [count, n_visible].

    uint8 for binary units; for Gaussian ones float32, with their noise.
    """
    require(sweeps >= 1, f"the number of sweeps must be at least 1, but is {sweeps}")
    chains = advance(k, k.put(model), start(k, model, count, Key(seed, Stream.SAMPLES)), sweeps)
    return k.get_rows(chains.v).astype(np.float32 if isinstance(model, GaussianRBM) else np.uint8)


def tiles(rows: np.ndarray, shape: PictureShape) -> np.ndarray:
    """Rows as one picture: a nearly square grid of tiles with a line of NaN between them.

    rows: [n, height * width]; returns float64 [grid height, grid width].
    """
    across = int(np.ceil(np.sqrt(len(rows) * shape.height / shape.width)))
    down = -(-len(rows) // across)
    sheet = np.full((down * (shape.height + 1) - 1, across * (shape.width + 1) - 1), np.nan)
    for n, row in enumerate(rows):
        top, left = n // across * (shape.height + 1), n % across * (shape.width + 1)
        tile = row.reshape(shape.height, shape.width, order=shape.order)
        sheet[top : top + shape.height, left : left + shape.width] = tile
    return sheet


def check_suffix(path: Path) -> None:
    """`UserError` where `save` would not know what to write."""
    if path.suffix.lower() not in PICTURES + ARRAYS:
        raise UserError(f"{path} must end in one of {', '.join(PICTURES + ARRAYS)}")


def save(path: Path, rows: np.ndarray, shape: PictureShape) -> None:
    """Write rows as a picture or as an array, by the suffix of the path; `UserError` if unknown."""
    check_suffix(path)
    suffix = path.suffix.lower()
    buffer = io.BytesIO()
    if suffix == ".npz":
        np.savez_compressed(buffer, x=rows)
    elif suffix == ".npy":
        np.save(buffer, rows, allow_pickle=False)
    else:
        # Binary rows are black and white even where all are alike; real ones use their whole range.
        low, high = (0.0, 1.0) if rows.dtype == np.uint8 else (float(rows.min()), float(rows.max()))
        _render(buffer, tiles(rows, shape), suffix[1:], low, high)
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def _render(buffer: io.BytesIO, sheet: np.ndarray, kind: str, low: float, high: float) -> None:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    height, width = sheet.shape
    scale = 6.0 / max(height, width)  # inches a pixel: the longer side is 6 inches
    figure = Figure(figsize=(width * scale, height * scale), dpi=150)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    colours = LinearSegmentedColormap.from_list("grey", ["#101418", "#f4f1e8"], bad="#8aa0b8")
    axes.imshow(sheet, cmap=colours, vmin=low, vmax=high, interpolation="nearest", aspect="auto")
    figure.savefig(buffer, format=kind)
