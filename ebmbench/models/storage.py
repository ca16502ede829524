"""Models in files: an .npz of W, b and c, so that any other library's RBM can be judged here.

With an array `precision` beside them the visible units are Gaussian; with `kind` it is another model.
"""

import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ebmbench.errors import UserError
from ebmbench.files import write_atomically
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.kinds import from_arrays, to_arrays
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.scalar import LARGEST_PARAMETER

FIXTURES = Path(__file__).parent.parent / "fixtures"


class Fixture(NamedTuple):
    """A small trained model whose log Z was summed over all states of its smaller layer, nats."""

    model: RBM
    log_z: float
    log_likelihood: float  # mean over the test rows of the data set it was trained on, nats a row


def save_model(path: str | Path, model: Any, facts: Mapping[str, Any] | None = None) -> None:
    """Write the parameters (float64) and a JSON text of facts; equal models give equal files."""
    given = type(path).__name__
    require(
        isinstance(path, str | os.PathLike), f"save_model(path, model) needs a path first, not {given}"
    )
    path = Path(path)
    buffer = io.BytesIO()
    text = np.array(json.dumps(dict(facts or {}), sort_keys=True))
    arrays: dict[str, Any] = {**to_arrays(model), "facts": text}
    np.savez_compressed(buffer, **arrays)
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def load_model(path: str | Path) -> Any:
    """Read a model of any kind from an .npz of any origin.

    An RBM is W [n_visible, n_hidden], b [n_visible] and c [n_hidden], with precision [n_visible] beside
    them a `GaussianRBM`; other models say what they are, see `models.kinds`.

    Raises `UserError` that names the file and what is wrong with it.
    """
    with opened(Path(path)) as content:
        model = from_arrays(content)
        for name, values in model.parameters.items():
            if name != "precision":  # of which a backend says more
                fits = bool(np.abs(values).max() <= LARGEST_PARAMETER)
                require(fits, f"{name} holds a value beyond {LARGEST_PARAMETER:g}")
        return model


@contextmanager
def opened(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """The arrays of an .npz archive, read as they are asked for.

    `UserError` that names the file where it is none or is damaged, or where the block raises one.
    """
    if not path.exists():
        raise UserError(f"there is no file {path}")
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a file of arrays")
    try:
        with path.open("rb") as file:  # of a damaged archive NumPy would leave it open
            content = np.load(file, allow_pickle=False)
            if not isinstance(content, np.lib.npyio.NpzFile):
                raise UserError("it is not an .npz archive of named arrays")
            with content:
                yield content
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError) as error:
        # What NumPy takes for pickled objects is most often no archive at all.
        why = "it is damaged, or something else" if "pickle" in str(error) else error
        raise UserError(f"{path} cannot be read as an .npz archive: {why}") from None


def load_binary_model(path: str | Path) -> RBM:
    """As `load_model`, for what needs an RBM with binary visible units; `UserError` for all others."""
    model = load_model(path)
    if not isinstance(model, RBM):
        gaussian = isinstance(model, GaussianRBM)
        what = "an RBM with Gaussian visible units" if gaussian else f"a model of the kind {model.kind}"
        raise UserError(f"{path} holds {what}, but an RBM with binary units is needed here")
    return model


def load_fixture(name: str) -> Fixture:
    """A golden model that comes with the package; fixtures/README.md says how each was made."""
    path = FIXTURES / f"{name}.npz"
    model = load_binary_model(path)
    with np.load(path, allow_pickle=False) as content:
        return Fixture(model, float(content["log_z"]), float(content["log_likelihood"]))
