"""Reads the arrays in a user's file; whatever is wrong with the file becomes one sentence."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from ebmbench.datasets._csv import read_csv
from ebmbench.errors import UserError


def read_arrays(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """Read the arrays of a .npz, .npy, .csv or .csv.gz file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    wanted : collection of str
        Of a .npz, these arrays are read, and all only if it has none of these, so that what else a
        user keeps in the file does no harm.

    Returns
    -------
    dict of str to numpy.ndarray
        The arrays by name; the name is "" for the array of a .npy or .csv file.

    Raises
    ------
    UserError
        If the file cannot be opened, is empty or damaged, is of another kind, or needs pickle.
    """
    check_file(path)
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return {"": read_csv(path)}
    if not name.endswith((".npz", ".npy")):
        raise UserError(
            f"The file {str(path)!r} has the unknown ending {path.suffix!r}; "
            "use .npz, .npy, .csv or .csv.gz."
        )
    # numpy, zipfile and zlib report broken bytes with a dozen kinds of exceptions, and more of them
    # come with every release, so all are taken here, where nothing but reading happens.
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return {"": content}
            chosen = [key for key in content.files if key in wanted] or content.files
            arrays = {key: content[key] for key in chosen}
    except Exception as error:
        if "Object arrays" in str(error):
            problem = "holds pickled Python objects, which are never loaded"
        else:
            problem = "is damaged or not a NumPy file"
        raise UserError(
            f"The file {str(path)!r} {problem}; save arrays of numbers with numpy.save or savez."
        ) from error
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray):  # numpy hands out other members of the zip as bytes
            raise UserError(f"The member {key!r} of {str(path)!r} is not a NumPy array.")
    return arrays


def check_file(path: Path) -> None:
    """Raise UserError unless `path` is a readable file with something in it."""
    try:
        if path.is_dir():
            raise UserError(f"{str(path)!r} is a folder; give a file.")
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise UserError(f"There is no file {str(path)!r}.") from None
    except OSError as error:
        raise UserError(f"The file {str(path)!r} cannot be read: {error.strerror}.") from error
    if empty:
        raise UserError(f"The file {str(path)!r} is empty (0 bytes).")
