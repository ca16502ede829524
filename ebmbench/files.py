"""Files that are either the old ones or the new ones, never half of each; models among them."""

import contextlib
import io
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ebmbench.errors import UserError
from ebmbench.models.rbm import RBM


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file at once; what stood there stays if anything fails. Raises `OSError`."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def check_writable(path: Path) -> None:
    """`UserError` where a file could not be written at `path`; call before the work, not after."""
    folder = path.parent
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder")
    if not folder.is_dir():
        raise UserError(f"cannot write {path}: the folder {folder} does not exist")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def save_model(path: Path, model: RBM, facts: dict[str, Any]) -> None:
    """Write W, b, c (float64) and a JSON text of facts; equal models give equal files."""
    buffer = io.BytesIO()
    text = np.array(json.dumps(facts, sort_keys=True))
    np.savez_compressed(buffer, allow_pickle=False, W=model.W, b=model.b, c=model.c, facts=text)
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def load_model(path: Path) -> RBM:
    """Read W [n_visible, n_hidden], b [n_visible], c [n_hidden] from an .npz of any origin.

    Raises `UserError` that names the file and what is wrong with it.
    """
    if not path.exists():
        raise UserError(f"there is no file {path}")
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a model file")
    try:
        with np.load(path, allow_pickle=False) as content:
            if not isinstance(content, np.lib.npyio.NpzFile):
                raise UserError(f"{path} is not an .npz archive with W, b and c")
            missing = [name for name in ("W", "b", "c") if name not in content.files]
            if missing:
                raise UserError(f"{path} does not hold {', '.join(missing)}; a model has W, b and c")
            arrays = {name: content[name] for name in ("W", "b", "c")}
    except UserError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise UserError(f"{path} cannot be read as an .npz archive: {error}") from None
    try:
        return RBM(**arrays)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
