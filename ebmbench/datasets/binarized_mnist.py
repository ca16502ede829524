"""MNIST in black and white, sampled once: the usual binary benchmark."""

import hashlib
from pathlib import Path

import numpy as np

from ebmbench.datasets._arrays import check_file, read_arrays
from ebmbench.datasets._dataset import Dataset
from ebmbench.datasets._fetch import fetch, find_local
from ebmbench.datasets._rows import as_rows
from ebmbench.errors import UserError

NAME = "binarized_mnist"
DESCRIPTION = "MNIST sampled to binary once, 28 x 28: 60000 to train on, 10000 to test on"

NPZ = "binarized_mnist.npz"
MAT = "randomly_binarized_mnist.mat"
URL = (
    "https://raw.githubusercontent.com/gpapamak/distilling_model_knowledge/"
    f"75e96fe86aadc6c5594b960861f4c9b8b08778a6/data/mnist/{MAT}"
)
# SHA-256 of the rows as uint8, whatever the file that they come in.
SHA256 = {
    "x_train": "c2131a0e7dbd07526b68e3b3d7e0b69b07939f94f74356a8ed06ca199c0cfada",
    "x_test": "6bc49d30fc630fa0e1d7ecb84578b6a204d6b68387cc094d2b3d93dbf46b6fcc",
}


def load() -> Dataset:
    """Load binarised MNIST: train uint8 [60000, 784], test uint8 [10000, 784], without labels.

    This is Salakhutdinov and Murray's own sampling: each pixel was set to 1 once, with its grey
    value as the probability. It is what their published models are trained and evaluated on. The
    rows come from ``binarized_mnist.npz`` (arrays ``x_train`` and ``x_test``) or from the public
    copy, ``randomly_binarized_mnist.mat``, in the folder that the environment variable
    EBMBENCH_DATA names; and else from a download of that copy.

    A row reads its picture column by column, as in the original MATLAB files and as the weights of
    the published models expect: transpose a picture before you show it.

    Larochelle's often used ``.amat`` files cannot stand in. They have the same training rows (each
    picture line by line), but another sampling of the test pictures.

    Returns
    -------
    Dataset
        The rows in the original order.

    Raises
    ------
    UserError
        If the file is neither there nor to be had, or does not hold this sampling.

    References
    ----------
    R. Salakhutdinov and I. Murray, On the quantitative analysis of deep belief networks, ICML 2008.
    G. Papamakarios, Distilling model knowledge, MSc thesis, 2015 (the public copy).
    """
    path = find_local(NPZ, MAT) or fetch([URL], None, f"put {URL} into FOLDER")
    arrays = _read_mat(path) if path.suffix == ".mat" else read_arrays(path, tuple(SHA256))
    for key in SHA256:
        if key not in arrays:
            raise UserError(f"The file {str(path)!r} has no array {key!r}.")
    labels = [f"The array {key!r} of {str(path)!r}" for key in SHA256]
    train, test = as_rows([arrays[key] for key in SHA256], labels)
    for rows, sha, label in zip((train, test), SHA256.values(), labels, strict=True):
        if hashlib.sha256(rows.tobytes()).hexdigest() != sha:
            raise UserError(
                f"{label} is not Salakhutdinov and Murray's sampling; move the file away and get it anew."
            )
    return Dataset(
        name=NAME,
        train=train,
        test=test,
        image_shape=(28, 28),
        ceiling=None,
        image_order="F",
        source="Salakhutdinov & Murray (ICML 2008); public copy by Papamakarios (2015), BSD",
    )


def _read_mat(path: Path) -> dict[str, np.ndarray]:
    """Read the public copy, a MATLAB file with a column for each picture."""
    from scipy.io import loadmat  # takes long to import

    check_file(path)
    # Here too the bytes may be wrong in a dozen ways, each with an exception of its own.
    try:
        content = loadmat(path, variable_names=["x_trn", "x_tst"])
        return {"x_train": content["x_trn"].T, "x_test": content["x_tst"].T}
    except Exception as error:
        raise UserError(f"The file {str(path)!r} is damaged; move it away and get it anew.") from error
