"""Pictures of a model: its filters and the samples it draws."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ebmbench.report.style import GRID, WIDTH, panel

_MOST = 64  # pictures in a figure


@dataclass(frozen=True)
class Model:
    """A model's weights as images [n, height, width] and the samples it drew, likewise.

    units: how many have such weights; hidden: whether those are hidden, or each a pixel itself; chains:
    whether the samples come from Gibbs chains, or each is drawn by itself.
    """

    filters: np.ndarray
    samples: np.ndarray
    units: int
    hidden: bool
    chains: bool

    @property
    def binary(self) -> bool:
        """Whether a sample's pixels are on or off, and nothing else."""
        return bool(np.isin(self.samples, (0, 1)).all())

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest pixel of the samples; 0 and 1 for binary ones."""
        return (0.0, 1.0) if self.binary else (float(self.samples.min()), float(self.samples.max()))


def read(arrays: dict[str, np.ndarray] | None) -> Model | str | None:
    """The pictures in a model's arrays; None if its rows are none, or what is wrong with them.

    Filters come largest norm first, and no more than 64 of them.
    """
    if arrays is None:
        return "its file is missing or cannot be read"
    if "R" in arrays:  # what each unit of a Boltzmann machine hears from all others
        R = arrays["R"]
        if R.ndim != 2 or R.shape[0] != R.shape[1]:
            return f"its couplings have the shape {R.shape}"
        arrays = arrays | {"W": R + R.T}
    missing = [name for name in ("W", "samples", "image_shape") if name not in arrays]
    if missing:
        return f"its file lacks {', '.join(missing)}"
    shape = tuple(int(side) for side in np.ravel(arrays["image_shape"]))
    if len(shape) != 2 or min(shape) < 2:
        return None  # a row that is no picture is stored as one line of pixels
    weights, samples = arrays["W"], arrays["samples"]
    pixels = shape[0] * shape[1]
    if [rows.shape[1:] for rows in (weights.T, samples)] != [(pixels,), (pixels,)]:
        return f"its rows are no pictures of {shape[0]} × {shape[1]} pixels"
    if not np.isfinite(weights).all():
        return "its weights are not finite"
    if not np.isfinite(samples[:_MOST]).all():
        return "its samples are not finite"
    order = str(arrays.get("image_order", "C"))
    largest = np.argsort(-np.linalg.norm(weights, axis=0), kind="stable")[:_MOST]
    return Model(
        images_of(weights.T[largest], shape, order),
        images_of(samples[:_MOST], shape, order),
        weights.shape[1],
        hidden="c" in arrays,
        chains="c" in arrays or "R" in arrays,
    )


def draw_filters(title: str, model: Model) -> Figure:
    """The filters, or couplings, on one diverging scale about 0."""
    bound = float(np.abs(model.filters).max()) or 1.0
    figure, image = _draw(title, model.filters, "PuOr_r", -bound, bound, below=0.6)
    figure.colorbar(image, location="bottom", label="weight", aspect=40, fraction=0.05, pad=0.03)
    return figure


def draw_samples(title: str, model: Model) -> Figure:
    """The samples, black where a pixel is on; real ones in greys over all their range."""
    return _draw(title, model.samples, "gray_r", *model.range, below=0.0)[0]


def mosaic(images: np.ndarray) -> np.ndarray:
    """Images [n, height, width] side by side, as near to a square as they go, in a frame of NaN."""
    n, height, width = images.shape
    across = int(np.ceil(np.sqrt(n)))
    down = -(-n // across)
    gap = max(1, min(height, width) // 8)
    tiles = np.full((down * across, height + gap, width + gap), np.nan)
    tiles[:n, gap:, gap:] = images
    rows = tiles.reshape(down, across, height + gap, width + gap).swapaxes(1, 2)
    joined = rows.reshape(down * (height + gap), across * (width + gap))
    return np.pad(joined, ((0, gap), (0, gap)), constant_values=np.nan)


def _draw(
    title: str, images: np.ndarray, colours: str, low: float, high: float, below: float
) -> tuple[Figure, AxesImage]:
    """A mosaic that fills the width of a figure, and inches below it for what else there is."""
    tiles = mosaic(images)
    height, width = tiles.shape
    figure, axes = panel(title, 0.3 + WIDTH * height / width + below)
    axes.set(facecolor=GRID, xticks=[], yticks=[], anchor="N")
    axes.spines[:].set_visible(False)
    return figure, axes.imshow(tiles, cmap=colours, vmin=low, vmax=high)


def images_of(rows: np.ndarray, shape: tuple[int, ...], order: str) -> np.ndarray:
    """Rows as images [n, height, width]; order `F` where a row holds its picture column by column."""
    if order == "F":
        return rows.reshape(len(rows), *shape[::-1]).swapaxes(1, 2)
    return rows.reshape(len(rows), *shape)
