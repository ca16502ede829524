"""Files that are either the old ones or the new ones, never half of each."""

import contextlib
import os
import tempfile
from pathlib import Path

from ebmbench.errors import UserError


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file at once; what stood there stays if anything fails. Raises `OSError`.

    A link stays a link: the file that it points to is replaced.
    """
    path = path.resolve()
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


def check_writable(path: Path, *sources: Path) -> None:
    """`UserError` where a file could not or must not be written at `path`; call before the work.

    sources: the files that the work reads, none of which the result may replace.
    """
    if any(source.exists() and path.exists() and path.samefile(source) for source in sources):
        raise UserError(f"cannot write {path}: it is what the work reads")
    path = path.resolve()
    folder = path.parent
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder")
    if path.exists() and not path.is_file():
        raise UserError(f"cannot write {path}: it is not a regular file")
    if path.exists() and not os.access(path, os.W_OK):
        raise UserError(f"cannot write {path}: it is read-only")
    if not folder.is_dir():
        raise UserError(f"cannot write {path}: the folder {folder} does not exist")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
