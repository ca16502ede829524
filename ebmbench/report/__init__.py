"""Reports: a results folder's table drawn as figures and one self-contained HTML page."""

from pathlib import Path


def write(folder: str | Path) -> Path:
    """Draw the report of a results folder from what lies in it; nothing is run again.

    Parameters
    ----------
    folder : path
        A folder that `ebmbench.harness.run` filled.

    Returns
    -------
    pathlib.Path
        The page, ``folder/report.html``, which needs no other file. Its figures also lie beside it
        as ``folder/figures/*.svg`` and ``*.png``.

    Raises
    ------
    UserError
        Where the folder holds no results or cannot be written.
    """
    from ebmbench.report.page import write_page  # the package itself stays quick to import

    return write_page(Path(folder))
