"""Samples of a model as rows and as pictures."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from ebmbench.errors import UserError
from ebmbench.evaluation.adversarial import generate
from ebmbench.files import write_atomically
from ebmbench.kernels.api import Backend, Rows
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.dbm import DBM
from ebmbench.models.dbn import DBN
from ebmbench.models.gan import GAN
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.general import GeneralBoltzmannMachine
from ebmbench.models.latent import Latent
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.model import Model
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.randomness import Key, Stream
from ebmbench.samplers.gibbs import Chains, advance, start

PICTURES = (".png", ".svg", ".pdf")
ARRAYS = (".npz", ".npy")


class PictureShape(NamedTuple):
    """How a row becomes a picture: height, width, and whether it is stored by rows (C) or columns (F)."""

    height: int
    width: int
    order: Literal["C", "F"] = "C"


def picture_shape(n_visible: int, like: Any = None) -> PictureShape:
    """That of a data set's pictures if it has one, else a square if n_visible is one, else a line.

    like: a `Dataset` or None. Raises `UserError` where its shape does not hold n_visible pixels.
    """
    shape: tuple[int, int] | None = like.image_shape if like else None
    if shape is None:
        side = int(np.sqrt(n_visible))
        shape = (side, side) if side * side == n_visible else (1, n_visible)
    if shape[0] * shape[1] != n_visible:
        raise UserError(
            f"pictures of {shape[0]}x{shape[1]} do not fit a model of {n_visible} visible units"
        )
    return PictureShape(*shape, like.image_order if like else "C")


def draw(k: Backend, model: Any, count: int, sweeps: int = 1000, seed: int = 0) -> np.ndarray:
    """The states of `count` independent chains after `sweeps` sweeps, [count, n_visible].

    uint8 for binary units; for Gaussian ones float32, with their noise. The chains of a DBM or a general
    Boltzmann machine are those of all its units. A DBN's are of its top RBM, and each state then passes
    down through the layers once. Whatever the sweeps, a Bayesian network's rows are independent draws,
    and a GAN makes each, float32, of noise.
    """
    for name, value in (("sweeps", sweeps), ("samples", count)):
        whole = isinstance(value, int | np.integer) and value >= 1
        require(whole, f"the number of {name} must be a whole one of at least 1, but is {value}")
    check_kind(model)
    return _DRAWS[model.kind](k, model, count, sweeps, Key(seed, Stream.SAMPLES))


def _chains(k: Backend, model: Model, count: int, sweeps: int, key: Key) -> np.ndarray:
    return _states(k, model, _advanced(k, model, count, sweeps, key).v)


def _advanced(k: Backend, model: Model, count: int, sweeps: int, key: Key) -> Chains:
    return advance(k, k.put(model), start(k, model, count, key), sweeps)


def _states(k: Backend, model: Model, rows: Rows) -> np.ndarray:
    """The model's visible units on the host."""
    return k.get_rows(rows).astype(np.float32 if isinstance(model, GaussianRBM) else np.uint8)


def _of_dbn(k: Backend, model: DBN, count: int, sweeps: int, key: Key) -> np.ndarray:
    """Ancestral sampling (Hinton, Osindero & Teh 2006); the steps after the chains' go downwards."""
    rows, now = _advanced(k, model.layers[-1], count, sweeps, key)
    for layer in reversed(model.layers[:-1]):
        rows, now = k.sample_visible(k.put(layer), rows, now), now.advance(1)
    return _states(k, model.layers[0], rows)


def _ancestral(k: Backend, model: BayesNet, count: int, sweeps: int, key: Key) -> np.ndarray:
    """One sweep is an independent draw, so that no more are needed."""
    return _chains(k, model, count, 1, key)


def _of_whole(k: Backend, model: Latent, count: int, sweeps: int, key: Key) -> np.ndarray:
    return _chains(k, model.whole, count, sweeps, key)[:, : model.n_visible]


def _of_gan(k: Backend, model: GAN, count: int, sweeps: int, key: Key) -> np.ndarray:
    """Each of noise of its own, so that no sweeps are needed."""
    return generate(k, model, count, key.seed)


# By the kind of model.
_DRAWS: dict[str, Callable[..., np.ndarray]] = {
    RBM.kind: _chains,
    GaussianRBM.kind: _chains,
    BoltzmannMachine.kind: _chains,
    BayesNet.kind: _ancestral,
    MarkovField.kind: _chains,
    DBN.kind: _of_dbn,
    DBM.kind: _of_whole,
    GeneralBoltzmannMachine.kind: _of_whole,
    GAN.kind: _of_gan,
}


def check_kind(model: Any) -> None:
    """`UserError` where `draw` has nothing to draw."""
    require(model.kind in _DRAWS, f"a model of the kind {model.kind} has no samples")


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
    if suffix in PICTURES:
        # Binary rows are black and white even where all are alike; real ones use their whole range.
        low, high = (0.0, 1.0) if rows.dtype == np.uint8 else (float(rows.min()), float(rows.max()))
        _write(path, lambda file: _render(file, tiles(rows, shape), suffix[1:], low, high))
    elif suffix == ".npz":
        _write(path, lambda file: np.savez_compressed(file, x=rows))
    else:
        _write(path, lambda file: np.save(file, rows, allow_pickle=False))


def save_triples(
    path: Path, rows: np.ndarray, damaged: np.ndarray, restored: np.ndarray, shape: PictureShape
) -> None:
    """A picture of rows [n, n_visible] beside what is left of them and what was made of that.

    NaN, what is missing, is drawn in a grey. The ends of the scale are 0 and 1, or of rows that leave
    these their own; what lies beyond is drawn as the nearest end. `UserError` as `save`.
    """
    height, width, order = shape
    low, high = float(rows.min()), float(rows.max())
    low, high = (0.0, 1.0) if low >= 0.0 and high <= 1.0 else (low, high)
    gap = np.full((height, 1), np.nan)
    beside = []
    left = np.nan_to_num(damaged, nan=(low + high) / 2)
    for triple in zip(rows.astype(float), left, restored, strict=True):
        first, second, third = (one.reshape(height, width, order=order) for one in triple)
        beside.append(np.hstack([first, gap, second, gap, third, gap, gap]).ravel())
    sheet = tiles(np.array(beside), PictureShape(height, 3 * width + 4))[:, :-2]
    _write(path, lambda file: _render(file, sheet, path.suffix.lower()[1:], low, high))


def _write(path: Path, fill: Callable[[io.BytesIO], Any]) -> None:
    buffer = io.BytesIO()
    fill(buffer)
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
