"""MNIST, in grey values."""

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np

from ebmbench.datasets._arrays import check_file
from ebmbench.datasets._dataset import Dataset
from ebmbench.datasets._fetch import fetch, find_local
from ebmbench.errors import UserError

NAME = "mnist"
DESCRIPTION = "handwritten digits, 28 x 28, grey: 60000 to train on, 10000 to test on"

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# For each file its MD5 packed, as the mirrors have it, and unpacked, as any copy has it.
MD5 = {
    "train-images-idx3-ubyte": (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "6bbc9ace898e44ae57da46a324031adb",
    ),
    "train-labels-idx1-ubyte": (
        "d53e105ee54ea40749a09fcbcd1e9432",
        "a25bea736e30d166cdddb491f175f624",
    ),
    "t10k-images-idx3-ubyte": (
        "9fb629c4189551a2d022fa330f9573f3",
        "2646ac647ad5339dbf082846283269ea",
    ),
    "t10k-labels-idx1-ubyte": (
        "ec29112dd5afa0611ce80d1b7f02629c",
        "27ae3e4e09519cfbb04c329615203637",
    ),
}
ADVICE = f"put {', '.join(name + '.gz' for name in MD5)} into FOLDER/mnist"


def load() -> Dataset:
    """Load MNIST: train float32 [60000, 784], test float32 [10000, 784], with labels.

    The values are the grey values divided by 255; a row reads its picture line by line. The four
    files are taken from the folder ``mnist`` in the one that the environment variable EBMBENCH_DATA
    names, packed (``train-images-idx3-ubyte.gz`` and so on) or not, and else downloaded.

    Returns
    -------
    Dataset
        In the order of the files.

    Raises
    ------
    UserError
        If a file is neither there nor to be had, or is not the original.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document
    recognition, Proceedings of the IEEE 86, 1998.
    """
    return Dataset(
        name=NAME,
        train=_images("train-images-idx3-ubyte"),
        test=_images("t10k-images-idx3-ubyte"),
        image_shape=(28, 28),
        ceiling=None,
        labels_train=_labels("train-labels-idx1-ubyte"),
        labels_test=_labels("t10k-labels-idx1-ubyte"),
        source="LeCun, Bottou, Bengio & Haffner (Proc. IEEE 86, 1998), CC BY-SA 3.0",
    )


# The checksum is that of the original, so the sizes in the file's header are known beforehand and
# need no parsing: 16 bytes of header for pictures, 8 for labels.
def _images(name: str) -> np.ndarray:
    grey = np.frombuffer(_content(name), dtype=np.uint8, offset=16).reshape(-1, 784)
    return grey / np.float32(255)


def _labels(name: str) -> np.ndarray:
    return np.frombuffer(_content(name), dtype=np.uint8, offset=8).astype(np.int64)


def _content(name: str) -> bytes:
    """Return the unpacked bytes of one of the four files, checked."""
    packed, unpacked = MD5[name]
    path = find_local(f"mnist/{name}.gz", f"mnist/{name}")
    if path is None:
        urls = [f"{mirror}{name}.gz" for mirror in MIRRORS]
        path = fetch(urls, f"md5:{packed}", ADVICE)
    check_file(path)
    content = _unpack(path)
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != unpacked:
        raise UserError(f"The file {str(path)!r} is not the original MNIST file; get it anew.")
    return content


def _unpack(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"The file {str(path)!r} is damaged: {error}.") from error
