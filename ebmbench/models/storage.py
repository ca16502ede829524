"""Models in files: an .npz of W, b and c, so that any other library's RBM can be judged here.

With an array `precision` beside them the visible units are Gaussian.
"""

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ebmbench.errors import UserError
from ebmbench.files import write_atomically
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.rbm import RBM

FIXTURES = Path(__file__).parent.parent / "fixtures"


class Fixture(NamedTuple):
    """A small trained model whose log Z was summed over all states of its smaller layer, nats."""

    model: RBM
    log_z: float
    log_likelihood: float  # mean over the test rows of the data set it was trained on, nats a row


def save_model(path: str | Path, model: RBM | GaussianRBM, facts: dict[str, Any]) -> None:
    """Write the parameters (float64) and a JSON text of facts; equal models give equal files."""
    path = Path(path)
    buffer = io.BytesIO()
    text = np.array(json.dumps(facts, sort_keys=True))
    arrays = {name: getattr(model, name) for name in model.names}
    np.savez_compressed(buffer, **arrays, facts=text)
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def load_model(path: str | Path) -> RBM | GaussianRBM:
    """Read W [n_visible, n_hidden], b [n_visible], c [n_hidden] from an .npz of any origin.

    With precision [n_visible] beside them the model is a `GaussianRBM`.

    Raises `UserError` that names the file and what is wrong with it.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"there is no file {path}")
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a model file")
    try:
        content = np.load(path, allow_pickle=False)
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise UserError(f"{path} is not an .npz archive with W, b and c")
        with content:
            kind = GaussianRBM if "precision" in content.files else RBM
            missing = [name for name in RBM.names if name not in content.files]
            if missing:
                raise UserError(f"{path} does not hold {', '.join(missing)}; a model has W, b and c")
            arrays = {name: content[name] for name in kind.names}
    except UserError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise UserError(f"{path} cannot be read as an .npz archive: {error}") from None
    try:
        return kind(**arrays)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def load_binary_model(path: str | Path) -> RBM:
    """As `load_model`, for what needs binary visible units; `UserError` where they are Gaussian."""
    model = load_model(path)
    if not isinstance(model, RBM):
        raise UserError(f"{path} has Gaussian visible units, but binary ones are needed here")
    return model


def load_fixture(name: str) -> Fixture:
    """A golden model that comes with the package; fixtures/README.md says how each was made."""
    path = FIXTURES / f"{name}.npz"
    model = load_binary_model(path)
    with np.load(path, allow_pickle=False) as content:
        return Fixture(model, float(content["log_z"]), float(content["log_likelihood"]))
