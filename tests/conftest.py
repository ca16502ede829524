"""What the tests of the mathematics share: the backends, small models, their definition in NumPy.

Every random choice has a fixed seed, so a test passes always or never. A statistical test states the
chance that a right implementation had of failing when its seed was chosen.
"""

import dataclasses
import os
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp
from ways import CUDA_STATE, EMULATOR, ON_GPU, OPAQUE, QUICK, SAMPLED

from ebmbench.cli import main
from ebmbench.errors import UserError
from ebmbench.kernels.api import READY, Unavailable, load
from ebmbench.models.rbm import RBM

# Where there is a GPU, the tests of the mathematics run on it too; the simulator would take hours.
_GPU = [pytest.param("cuda", marks=pytest.mark.gpu)] if ON_GPU or OPAQUE else []
BACKENDS = ("reference", "cpu", *_GPU)
COMPUTED = tuple(name for name in BACKENDS if name != "reference")  # what the oracle is compared with
FAMILY_ALPHA = 1e-3  # chance of a false alarm in one statistical test, however many parts it has

DATA = os.environ.get("EBMBENCH_DATA")


def pytest_collection_modifyitems(items):
    """The tests of the CUDA backend need a GPU or what stands for one; see `ways.QUICK`."""
    met = set()
    for item in items:
        if "tests/cuda/" in item.path.as_posix():
            item.add_marker(pytest.mark.gpu)
            test, file = (item.path, item.originalname), item.path.stem
            if file not in QUICK and (file not in SAMPLED or test in met):
                item.add_marker(pytest.mark.long)
            met.add(test)
            if CUDA_STATE != READY:
                item.add_marker(pytest.mark.skip(reason=CUDA_STATE))


def needs_files(test):
    """Mark a test or a file that reads the golden fixtures."""
    skip = pytest.mark.skipif(not DATA, reason="EBMBENCH_DATA names no folder with the files")
    return pytest.mark.fixture(skip(test))


needs_two_threads = pytest.mark.skipif(
    numba.config.NUMBA_NUM_THREADS < 2, reason="Numba has one thread here: nothing to compare"
)


def backend(name):
    """A loaded backend, or a skip with its reason."""
    if name == "cuda" and OPAQUE:
        import opaque

        return opaque.backend(opaque.Device, name)
    try:
        return load(name)
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def ebmbench(capsys, monkeypatch, tmp_path):
    """Runs the command line in an empty folder; returns (exit status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ebmbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


def applied(loop, x):
    """What a compiled loop (x, out) writes to out, float32 of x's shape."""
    out = np.full(x.size, np.nan, np.float32)
    loop(x, out)
    return out


def with_job(k, job, function, kind=None):
    """A backend one of whose jobs, by default of the first kind, is a function of (job, arguments)."""
    kind = kind or next(kind for name, kind in k.jobs if name == job)
    original = k.jobs[job, kind]
    jobs = {**k.jobs, (job, kind): lambda *args: function(original, *args)}
    return dataclasses.replace(k, jobs=jobs, fused={})  # what is fused would go past it


@pytest.fixture(params=BACKENDS)
def k(request, monkeypatch):
    """Every backend; a GPU is asked at every update whether all is well, and not at every 100th."""
    if request.param == "cuda" and not OPAQUE:
        monkeypatch.setattr("ebmbench.kernels.cuda.update._PATIENCE", 1)
    return backend(request.param)


@pytest.fixture(params=COMPUTED)
def computed(request):
    """Every backend but the reference."""
    return backend(request.param)


@pytest.fixture(scope="session")
def cuda():
    """The CUDA backend, in the tests of its folder."""
    return load("cuda")


@pytest.fixture(params=["LARGE", "SMALL"])
def tile(request, monkeypatch):
    """Every product of the CUDA backend with this tile, whatever the size of its output."""
    from ebmbench.kernels.cuda import tile as tiles

    only = getattr(tiles, request.param)
    monkeypatch.setattr(tiles, "sized", lambda rows, columns: only)
    return only


@pytest.fixture(scope="session")
def cpu():
    """What the bits of the CUDA backend are compared with."""
    return load("cpu")


@pytest.fixture(scope="session")
def emulator():
    """The emulated GPU, which counts what its driver is asked for; None where there is none."""
    return EMULATOR


@pytest.fixture
def threads():
    """`numba.set_num_threads`, undone after the test."""
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


@pytest.fixture
def one_thread(threads):
    """For tests of very many small launches: waking threads would cost more than the work."""
    threads(1)


def fixture_path(name):
    """A file of the golden fixtures."""
    return Path(DATA) / name


def random_rbm(n_visible, n_hidden, seed=0, scale=1.0, bias=1.0):
    """Normal weights of standard deviation `scale` and biases of `bias`."""
    rng = np.random.default_rng([seed, n_visible, n_hidden])
    W = rng.normal(0.0, scale, (n_visible, n_hidden))
    return RBM(W, rng.normal(0.0, bias, n_visible), rng.normal(0.0, bias, n_hidden))


def random_rows(count, n_visible, seed=0):
    """Fair coins, uint8."""
    return np.random.default_rng([seed, count]).integers(0, 2, (count, n_visible), dtype=np.uint8)


def all_states(n):
    """Binary states of n units, unit 0 the lowest bit, float64 [2**n, n]."""
    return np.array([[number >> i & 1 for i in range(n)] for number in range(2**n)], float)


def joint_energies(W, b, c):
    """E(v, h) of all pairs of states from the definition, [2**n_visible, 2**n_hidden]."""
    v, h = all_states(len(b)), all_states(len(c))
    return -(v @ b)[:, None] - (h @ c)[None, :] - v @ W @ h.T


def mean_log_likelihood(W, b, c, rows):
    """Mean log p(v) of binary rows from the definition, nats."""
    negative = -joint_energies(W, b, c)
    log_p = logsumexp(negative, axis=1) - logsumexp(negative)
    return log_p[numbers_of(rows)].mean()


def joint_law(model, beta=1.0):
    """p(v, h) at inverse temperature beta from the definition, [2**n_visible, 2**n_hidden]."""
    negative = -beta * joint_energies(model.W, model.b, model.c)
    return np.exp(negative - logsumexp(negative))


def numbers_of(rows):
    """The number of each binary row in the order of `all_states`."""
    rows = np.asarray(rows)
    return np.rint(rows @ 2.0 ** np.arange(rows.shape[1])).astype(int)


def host(k, tree, model):
    """A tree of a model on the host, in its logical shapes (devices may pad)."""
    shapes = {"W": model.W.shape, "b": model.b.shape, "c": model.c.shape}
    slices = {name: tuple(slice(n) for n in shape) for name, shape in shapes.items()}
    return {name: np.array(k.get_rows(tree[name]), float)[slices[name]] for name in tree}


def overwrite(there, values):
    """Put values of the host where a backend's array lies."""
    if isinstance(there, np.ndarray):
        there[...] = values
    else:
        there.copy_to_device(values)


def device(k, tree, model):
    """A tree of host arrays as a backend stores it."""
    out = k.zeros(k.put(model))
    for name, value in tree.items():
        out[name][tuple(slice(n) for n in value.shape)] = value
    return out


def flat(tree):
    """A tree W, b, c as one vector."""
    return np.concatenate([np.ravel(tree[name]) for name in ("W", "b", "c")])


def largest_z(samples, expected):
    """The largest |z| of independent replicates [n, m] against m expectations, and what is allowed.

    Student's t with Bonferroni's correction over the m components.
    """
    n, m = samples.shape
    error = samples.std(axis=0, ddof=1) / np.sqrt(n)
    z = np.abs(samples.mean(axis=0) - expected) / np.maximum(error, 1e-12)
    return z.max(), stats.t.ppf(1.0 - FAMILY_ALPHA / (2 * m), n - 1)


def complaint(call, *args, **options):
    """The one line that a UserError says."""
    with pytest.raises(UserError) as caught:
        call(*args, **options)
    message = str(caught.value)
    assert message.strip() == message
    assert message
    assert "\n" not in message
    return message
