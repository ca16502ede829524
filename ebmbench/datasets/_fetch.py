"""Finds the files of a dataset: first in the user's folder, then in the cache, then on the web."""

import os
from collections.abc import Sequence
from pathlib import Path

from ebmbench.errors import Unavailable, UserError

FOLDER_VARIABLE = "EBMBENCH_DATA"


def find_local(*candidates: str) -> Path | None:
    """Return the first of the files `candidates` in the folder that EBMBENCH_DATA names.

    Parameters
    ----------
    *candidates : str
        Paths relative to that folder.

    Returns
    -------
    pathlib.Path or None
        None if the variable is not set or the folder has none of them.

    Raises
    ------
    UserError
        If EBMBENCH_DATA names something that is not a folder.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise UserError(f"{FOLDER_VARIABLE} names {folder!r}, which is not a folder.")
    paths = (Path(folder) / candidate for candidate in candidates)
    return next((path for path in paths if path.exists()), None)


def fetch(urls: Sequence[str], known_hash: str | None, advice: str) -> Path:
    """Return a file from the download cache, after downloading it if it is not there yet.

    Parameters
    ----------
    urls : sequence of str
        Where to get it; the first that works is taken.
    known_hash : str or None
        Checksum as pooch takes it, such as ``md5:...``; None where the caller checks the content.
    advice : str
        What to put where in a FOLDER instead, for the error message.

    Returns
    -------
    pathlib.Path
        The file in the cache.

    Raises
    ------
    Unavailable
        If no address works.
    """
    import pooch  # takes long to import, and most runs download nothing

    pooch.get_logger().setLevel("WARNING")  # a failure is told in one sentence, below
    for url in urls:
        name = url.rpartition("/")[2]
        try:
            return Path(pooch.retrieve(url, known_hash, name, pooch.os_cache("ebmbench")))
        except (OSError, ValueError) as error:  # no network, a full disk, a wrong checksum
            failure = error
    raise Unavailable(
        f"{name} could not be downloaded ({type(failure).__name__}); {advice}, "
        f"and set {FOLDER_VARIABLE}=FOLDER."
    ) from failure
