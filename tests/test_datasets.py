import gzip
import hashlib
import math
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ebmbench.datasets import Dataset, describe, load, names, read_rows
from ebmbench.errors import UserError

DATA = os.environ.get("EBMBENCH_DATA")
BINARY = np.random.PCG64(5).random_raw(60).reshape(20, 3).astype(np.uint64) % 2
GREY = BINARY * 0.25


def needs_files(test):
    skip = pytest.mark.skipif(not DATA, reason="EBMBENCH_DATA names no folder with the files")
    return pytest.mark.fixture(skip(test))


@pytest.fixture(scope="module")
def mnist():
    return load("mnist")


@pytest.fixture(scope="module")
def binarized_mnist():
    return load("binarized_mnist")


def sha256(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


def complaint(call, *args):
    """The message of the UserError that the call raises, which must be one line."""
    with pytest.raises(UserError) as caught:
        call(*args)
    message = str(caught.value)
    assert message.strip() == message
    assert "\n" not in message
    return message


# --- the registry -------------------------------------------------------------------------------


def test_names_are_sorted_and_complete():
    assert names() == [
        "bars_and_stripes",
        "bars_and_stripes_3x3",
        "binarized_mnist",
        "digits",
        "dynamic_mnist",
        "labelled_shifter",
        "mnist",
    ]


def test_every_description_is_one_line():
    for name in names():
        assert describe(name)
        assert "\n" not in describe(name)


def test_listing_imports_no_heavy_package():
    code = (
        "import sys, ebmbench.datasets as d; d.names(); "
        "print(sorted({'sklearn', 'scipy', 'pooch', 'pandas', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("digts", "'digits'"),
        ("bars-and-stripes", "'bars_and_stripes'"),
        ("zzz", "labelled_shifter"),
    ],
)
def test_unknown_name(given, expected):
    message = complaint(load, given)
    assert repr(given) in message
    assert expected in message
    assert ("did you mean" in message) == (given != "zzz")


# --- the built-in datasets ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "n_patterns", "n_visible", "ceiling"),
    [
        ("bars_and_stripes", 30, 16, -3.4012),
        ("bars_and_stripes_3x3", 14, 9, -2.6391),
        ("labelled_shifter", 768, 19, -6.6438),
    ],
)
def test_toys_are_uniform_over_distinct_patterns(name, n_patterns, n_visible, ceiling):
    data = load(name)
    assert data.name == name
    assert data.train.shape == (n_patterns, n_visible)
    assert len(np.unique(data.train, axis=0)) == n_patterns
    np.testing.assert_array_equal(data.train, data.test)
    assert not np.shares_memory(data.train, data.test)
    assert data.ceiling == pytest.approx(ceiling, abs=5e-5)
    assert data.ceiling == -math.log(n_patterns)
    assert math.prod(data.image_shape) == n_visible


@pytest.mark.parametrize(("name", "side"), [("bars_and_stripes", 4), ("bars_and_stripes_3x3", 3)])
def test_bars_and_stripes_are_what_they_say(name, side):
    pictures = load(name).train.reshape(-1, side, side)
    is_bars = (pictures == pictures[:, :1, :]).all(axis=(1, 2))
    is_stripes = (pictures == pictures[:, :, :1]).all(axis=(1, 2))
    assert (is_bars | is_stripes).all()
    assert (is_bars & is_stripes).sum() == 2
    assert is_bars.sum() == is_stripes.sum() == 2**side


def test_labelled_shifter_shifts_as_its_label_says():
    for row in load("labelled_shifter").train:
        (label,) = np.flatnonzero(row[16:])
        np.testing.assert_array_equal(np.roll(row[:8], label - 1), row[8:16])


def test_digits_split_never_changes():
    data = load("digits")
    assert data.train.shape == (1437, 64)
    assert data.test.shape == (360, 64)
    assert data.image_shape == (8, 8)
    assert data.ceiling is None
    assert sha256(data.train) == "0c26a7d0c6bd231b8a76fb3b8bb9e6854598da4b93f2fd30f7b8fa4fdf3dc5f6"
    assert sha256(data.test) == "7b03a311b9853fd5787434c6c4095236e5d46d8645c23ac0b0cc8d930f15f112"
    assert (
        data.digest
        == load("digits").digest
        == "98926200c4f94d6b6cf0739abca6d36f919fb5ec20cee230cab10b54c9864c61"
    )


def test_digits_classes_are_spread_evenly():
    data = load("digits")
    assert data.labels_train.dtype == data.labels_test.dtype == np.int64
    of_class = np.bincount(data.labels_test)
    total = of_class + np.bincount(data.labels_train)
    assert total.sum() == 1797
    assert (np.abs(of_class - total / 5) < 1).all()


@pytest.mark.parametrize("name", ["digits", "bars_and_stripes", "labelled_shifter"])
def test_rows_are_zeros_and_ones(name):
    data = load(name)
    for part in (data.train, data.test):
        assert part.dtype == np.uint8
        assert set(np.unique(part)) == {0, 1}
        assert part.flags.c_contiguous
        assert part.flags.writeable
    assert data.is_binary
    assert data.n_visible == data.train.shape[1]
    assert data.source


def test_digest_tells_values_shapes_and_dtypes_apart():
    rows = np.zeros((2, 4), np.uint8)
    variants = [rows, rows + np.uint8(1), rows.reshape(4, 2), rows.view(np.int8)]
    digests = {Dataset("a", train, rows, None, None).digest for train in variants}
    digests |= {Dataset("a", rows, test, None, None).digest for test in variants}
    assert len(digests) == 7
    assert Dataset("b", rows.copy(), rows, (2, 2), 0.0).digest in digests


@needs_files
def test_mnist(mnist):
    assert mnist.train.shape == (60000, 784)
    assert mnist.test.shape == (10000, 784)
    assert mnist.train.dtype == mnist.test.dtype == np.float32
    assert not mnist.is_binary
    assert mnist.test.min() == 0
    assert mnist.test.max() == 1
    assert mnist.train.mean() == pytest.approx(0.1307, abs=5e-5)
    assert mnist.labels_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.labels_test.shape == (10000,)
    assert mnist.labels_test.dtype == np.int64


@needs_files
def test_binarized_mnist(binarized_mnist, mnist):
    train, test = binarized_mnist.train, binarized_mnist.test
    assert train.shape == (60000, 784)
    assert test.shape == (10000, 784)
    assert binarized_mnist.is_binary
    assert train.mean() == pytest.approx(0.13066, abs=5e-6)
    assert test.mean() == pytest.approx(0.13245, abs=5e-6)
    # Pictures are stored column by column: upright they have MNIST's mean.
    mean = test.reshape(-1, 28, 28).mean(axis=0)
    grey = mnist.test.reshape(-1, 28, 28).mean(axis=0)
    assert np.abs(mean.T - grey).max() < 0.02
    assert np.abs(mean - grey).max() > 0.2


@needs_files
def test_binarized_mnist_has_the_training_rows_of_the_amat_file(binarized_mnist):
    # The checksum of binarized_mnist_train.amat, the first 50000 rows, as others have published it.
    upright = binarized_mnist.train[:50000].reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    text = np.full((50000, 1568), ord(" "), np.uint8)
    text[:, ::2] = upright + ord("0")
    text[:, -1] = ord("\n")
    assert sha256(text) == "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d"


@needs_files
def test_dynamic_mnist_is_trained_on_greys_and_tested_on_binarized_mnist(binarized_mnist, mnist):
    dynamic = load("dynamic_mnist")
    assert dynamic.sampled
    assert not binarized_mnist.sampled
    assert dynamic.train.dtype == np.float32
    assert (dynamic.test == binarized_mnist.test).all()
    upright = dynamic.train[:100].reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    assert (upright == mnist.train[:100]).all()
    # Both training sets are of the same pictures, in another order.
    grey, sampled = (d.train.mean(axis=0) for d in (dynamic, binarized_mnist))
    assert np.abs(grey - sampled).max() < 0.01


# --- files from elsewhere -----------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty EBMBENCH_DATA, with no network behind it."""
    monkeypatch.setenv("EBMBENCH_DATA", str(tmp_path))
    monkeypatch.setattr("pooch.retrieve", no_network)
    return tmp_path


def no_network(*args, **kwargs):
    raise ConnectionError("first line\nsecond line")


@pytest.mark.parametrize("name", ["mnist", "binarized_mnist"])
@pytest.mark.parametrize("variable", ["", None])
def test_without_network_the_message_says_what_to_do(name, variable, folder, monkeypatch):
    if variable is not None:
        monkeypatch.setenv("EBMBENCH_DATA", variable)
    message = complaint(load, name)
    assert "ConnectionError" in message
    assert "set EBMBENCH_DATA=FOLDER" in message
    wanted = {"mnist": "t10k-labels-idx1-ubyte.gz into FOLDER/mnist", "binarized_mnist": "https://"}
    assert wanted[name] in message


def test_mnist_tries_every_mirror(folder, monkeypatch):
    tried = []

    def retrieve(url, known_hash, *args):
        tried.append(url)
        assert known_hash == "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873"
        raise ValueError("wrong checksum")

    monkeypatch.setattr("pooch.retrieve", retrieve)
    complaint(load, "mnist")
    assert len(tried) == 2
    assert all(url.endswith("/train-images-idx3-ubyte.gz") for url in tried)


def test_folder_variable_that_names_no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("EBMBENCH_DATA", str(tmp_path / "nowhere"))
    assert "nowhere" in complaint(load, "mnist")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (
            "mnist/train-images-idx3-ubyte.gz",
            gzip.compress(b"something else", mtime=0),
            "not the original",
        ),
        ("mnist/train-images-idx3-ubyte.gz", gzip.compress(b"cut short", mtime=0)[:-9], "damaged"),
        ("mnist/train-images-idx3-ubyte.gz", b"not packed", "damaged"),
        ("mnist/train-images-idx3-ubyte", b"something else", "not the original"),
        ("mnist/train-images-idx3-ubyte", b"", "0 bytes"),
        ("binarized_mnist.npz", b"PK\x03\x04 cut short", "damaged"),
        ("randomly_binarized_mnist.mat", b"something else", "damaged"),
        ("randomly_binarized_mnist.mat", b"", "0 bytes"),
    ],
)
def test_wrong_files_in_the_folder(folder, name, content, problem):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    message = complaint(load, "mnist" if "/" in name else "binarized_mnist")
    assert path.name in message
    assert problem in message


def test_wrong_arrays_in_the_folder(folder):
    file = folder / "binarized_mnist.npz"
    np.savez(file, x_train=BINARY, x_test=BINARY)
    assert "'x_train'" in complaint(load, "binarized_mnist")
    np.savez(file, x_train=BINARY)
    assert "'x_test'" in complaint(load, "binarized_mnist")


@needs_files
def test_mnist_takes_unpacked_files(mnist, folder):
    (folder / "mnist").mkdir()
    for file in Path(DATA, "mnist").glob("*-ubyte.gz"):
        (folder / "mnist" / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    assert load("mnist").digest == mnist.digest


@needs_files
def test_binarized_mnist_takes_the_download(binarized_mnist, folder, monkeypatch):
    from scipy.io import savemat

    file = folder / "cache.mat"
    savemat(file, {"x_trn": binarized_mnist.train.T, "x_tst": binarized_mnist.test.T})
    monkeypatch.setattr("pooch.retrieve", lambda *args: str(file))
    assert load("binarized_mnist").digest == binarized_mnist.digest


# --- the user's own files -----------------------------------------------------------------------


def write(path, rows):
    if path.suffix == ".npy":
        np.save(path, rows)
    elif path.suffix == ".npz":
        np.savez(path, anything=rows)
    else:
        np.savetxt(path, rows, delimiter=",", fmt="%.17g")
    return str(path)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".csv.gz", ".CSV"])
@pytest.mark.parametrize(("rows", "dtype"), [(BINARY, np.uint8), (GREY, np.float32)])
def test_round_trip(tmp_path, suffix, rows, dtype):
    file = write(tmp_path / f"rows{suffix}", rows)
    data = load(file)
    assert data.name == file
    assert data.train.dtype == data.test.dtype == dtype
    # This very split is promised to users.
    in_test = np.isin(np.arange(20), [2, 3, 11, 13])
    np.testing.assert_array_equal(data.test, rows[in_test])
    np.testing.assert_array_equal(data.train, rows[~in_test])

    everything, origin = read_rows(file)
    assert origin is None
    assert everything.dtype == dtype
    np.testing.assert_array_equal(everything, rows)
    np.testing.assert_array_equal(read_rows(file + ":train")[0], data.train)
    np.testing.assert_array_equal(read_rows(file + ":test")[0], data.test)


def test_a_path_object_is_a_path(tmp_path):
    file = write(tmp_path / "rows.npy", BINARY)
    assert load(Path(file)).digest == load(file).digest


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, ">i2", np.float16, np.float64, ">f4"])
def test_any_number_type_is_accepted(tmp_path, dtype):
    file = write(tmp_path / "rows.npy", BINARY.astype(dtype))
    assert load(file).train.dtype == np.uint8


def test_fortran_order_becomes_c_order(tmp_path):
    file = write(tmp_path / "rows.npy", np.asfortranarray(BINARY))
    rows, _ = read_rows(file)
    assert rows.flags.c_contiguous
    np.testing.assert_array_equal(rows, BINARY)


@pytest.mark.parametrize("keys", [("x_train", "x_test"), ("train", "test")])
def test_npz_with_train_and_test(tmp_path, keys):
    file = str(tmp_path / "rows.npz")
    labels = np.arange(20, dtype=np.uint8)
    other = np.array([None])  # needs pickle, but nobody asks for it
    np.savez(file, **dict(zip(keys, (BINARY, GREY[:5]), strict=True)), y_train=labels, other=other)
    data = load(file)
    assert not data.is_binary  # as one of the two is grey
    np.testing.assert_array_equal(data.train, BINARY)
    np.testing.assert_array_equal(data.test, GREY[:5])
    np.testing.assert_array_equal(data.labels_train, labels)
    assert data.labels_train.dtype == np.int64
    assert data.labels_test is None
    np.testing.assert_array_equal(read_rows(file)[0], GREY[:5])
    np.testing.assert_array_equal(read_rows(file + ":train")[0], BINARY)


def test_npz_with_rows_and_labels(tmp_path):
    file = str(tmp_path / "rows.npz")
    np.savez(file, x=BINARY, y=np.arange(20))
    data = load(file)
    np.testing.assert_array_equal(data.labels_test, [2, 3, 11, 13])
    np.testing.assert_array_equal(BINARY[data.labels_train], data.train)


@pytest.mark.parametrize(("n_visible", "shape"), [(9, (3, 3)), (1, (1, 1)), (8, None)])
def test_square_rows_are_pictures(tmp_path, n_visible, shape):
    file = write(tmp_path / "rows.npy", np.zeros((5, n_visible)))
    assert load(file).image_shape == shape


@pytest.mark.parametrize(
    "text",
    [
        "0,1\n1,0\n",
        "0,1\r\n1,0\r\n",
        "\ufeff0,1\n\n1,0",
        "a,b\n0,1\n1,0\n",
        "# a,b\n0,1\n1,0\n",
        '"a","b, c"\n"0","1"\n"1","0"\n',
        " 0 , 1 \n 1.0 , 0e0 \n\n",
    ],
)
def test_csv_dialects(tmp_path, text):
    file = tmp_path / "rows.csv"
    file.write_bytes(text.encode())
    assert read_rows(str(file))[0].tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "is empty (0 bytes)"),
        (b"\n \n", "has no rows"),
        (b"a,b\n", "has no rows"),
        (b"0,1\n\n0,x\n1,1\n", "'x' in line 3"),
        (b"0,1\n0,\n", "'' in line 2"),
        (b"0;1\n1;0\n", "columns are separated by commas, not by ';'"),
        (b"0 1\n1 0\n", "columns are separated by commas, not by ' '"),
        (b"0,x\n0,1\n", "'x' in line 1"),
        (b"a,b\n0,1\nc,d\n", "'c' in line 3"),
        (b"0;1\n0;1\n", "'0;1' in line 2"),
        (b"a,b\n0,1\n0,1,0\n", "from 2 (line 2) to 3 (line 3)"),
        (b"0,1\n0\n", "from 2 (line 1) to 1 (line 2)"),
        (b"0,1\n0,1_0\n", "is not a table of numbers"),
        (b"0,1,2\n0,1,0\n", "numbers its columns in its first line; delete that line"),
        (b'"0","1","2"\n0,1,0\n', "numbers its columns in its first line"),
        (b"0,1\n0,nan\n", "value nan in row 1, column 1 (counted from 0)"),
        (b"0,1\n0,1\n255,0\n", "value 255.0 in row 2, column 0"),
        (b"0,1\n0,\xff\n", "is not text in UTF-8"),
        (b"0\n" + b"0" * 200_000 + b"x\n", "'00000000000000000000' in line 2"),
    ],
)
def test_mistakes_in_csv(tmp_path, text, problem):
    file = tmp_path / "rows.csv"
    file.write_bytes(text)
    message = complaint(load, str(file))
    assert "rows.csv" in message
    assert problem in message
    assert len(message) < 300 + len(str(file))


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (np.zeros((0, 3)), "has no rows"),
        (np.zeros((3, 0)), "has no columns"),
        (np.zeros((1, 3)), "only 1 row"),
        (np.zeros(3), "is 1-D"),
        (np.zeros((2, 2, 2)), "is 3-D"),
        (np.float64(0), "is 0-D"),
        (np.array([[0, 1], [0, np.nan]]), "value nan in row 1, column 1 "),
        (np.array([[0, np.inf], [0, 1]]), "value inf in row 0, column 1 "),
        (np.array([[0, 1], [-0.5, 1]]), "value -0.5 in row 1, column 0 "),
        (np.array([[0, 1], [1.0000001, 1]]), "value 1.0000001 in row 1, column 0 "),
        (np.array([[0, 7], [255, 0]], np.uint8), "value 7 in row 0, column 1 "),
        (np.array([["0", "1"]]), "<U1 values"),
        (np.array([[0, 1j]]), "complex128 values"),
        (np.array([[0, None]]), "pickled Python objects"),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_mistakes_in_arrays(tmp_path, rows, problem, suffix):
    file = tmp_path / f"rows{suffix}"
    write(file, rows)
    message = complaint(load, str(file))
    assert str(file) in message
    assert problem in message
    assert ("divide by 255" in message) == (rows.dtype == np.uint8)


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({}, "holds the arrays (none)"),
        ({"a": BINARY, "b": BINARY}, "holds the arrays a, b;"),
        ({"x_train": BINARY}, "no array 'x_test'"),
        ({"test": BINARY, "x": BINARY}, "no array 'train'"),
        ({"x_train": BINARY, "x_test": BINARY[:, :2]}, "'x_test' of"),
        ({"x_train": BINARY, "x_test": BINARY * 3}, "'x_test' of"),
        ({"x": BINARY, "y": np.zeros(19, int)}, "(19,), not (20,)"),
        ({"x": BINARY, "y": np.zeros(20)}, "whole numbers"),
    ],
)
def test_mistakes_in_npz(tmp_path, arrays, problem):
    file = tmp_path / "rows.npz"
    np.savez(file, **arrays)
    message = complaint(load, str(file))
    assert str(file) in message
    assert problem in message


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".csv.gz"])
def test_truncated_files(tmp_path, suffix):
    file = tmp_path / f"rows{suffix}"
    write(file, GREY)
    content = file.read_bytes()
    for length in range(1, len(content), 7):
        file.write_bytes(content[:length])
        assert f"{str(file)!r} is damaged" in complaint(load, str(file))


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_pickles_and_other_content(tmp_path, suffix):
    file = tmp_path / f"rows{suffix}"
    for content in (pickle.dumps([1, 2]), b"0,1\n"):
        file.write_bytes(content)
        assert "is damaged or not a NumPy file" in complaint(load, str(file))


def test_zip_of_something_else(tmp_path):
    file = tmp_path / "rows.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "'readme.txt'" in complaint(load, str(file))


def test_mistakes_in_paths(tmp_path, monkeypatch):
    missing = str(tmp_path / "rows.csv")
    assert f"no file {missing!r}" in complaint(load, missing)
    assert "is a folder" in complaint(load, str(tmp_path))
    assert "cannot be read" in complaint(load, str(tmp_path / ("x" * 5000)))

    unknown = tmp_path / "rows.xlsx"
    unknown.write_bytes(b"0,1\n")
    assert "'.xlsx'" in complaint(load, str(unknown))

    def forbidden(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    assert "Permission denied" in complaint(load, str(unknown))


# --- read_rows ----------------------------------------------------------------------------------


def test_read_rows_of_a_dataset():
    data = load("digits")
    for spec, expected in [
        ("digits", data.test),
        ("digits:test", data.test),
        ("digits:train", data.train),
    ]:
        rows, origin = read_rows(spec)
        np.testing.assert_array_equal(rows, expected)
        assert origin.digest == data.digest


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("digits:valid", "digits:test"),
        ("digits:", "digits:train"),
        ("digts:test", "did you mean 'digits'"),
        ("digts", "did you mean 'digits'"),
        ("", "unknown dataset ''"),
        ("./nothing.npy:test", "There is no file 'nothing.npy'"),
        ("./nothing.npy", "There is no file 'nothing.npy'"),
    ],
)
def test_mistakes_in_read_rows(spec, problem):
    assert problem in complaint(read_rows, spec)
