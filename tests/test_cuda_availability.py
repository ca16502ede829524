"""Why CUDA is or is not there: the driver's answers are made up, and a sentence must follow from them."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
from ways import ON_GPU, SIMULATED

from ebmbench import nvidia
from ebmbench.harness import machine
from ebmbench.kernels import api
from ebmbench.kernels.cuda import availability
from ebmbench.nvidia import Driver, Gpu

needs_numba_cuda = pytest.mark.skipif(find_spec("numba_cuda") is None, reason="numba-cuda is not there")
H200 = Gpu("NVIDIA H200", 150_000_000_000, (9, 0), 132, 1980, 3201)
V100 = H200._replace(name="Tesla V100", compute_capability=(7, 0))
K80 = H200._replace(name="Tesla K80", compute_capability=(3, 7))
FINE = Driver(None, (12, 8), (H200,), "570.86.15")
NAMES = {100: b"CUDA_ERROR_NO_DEVICE", 803: b"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"}


class Library:
    """A driver's library as ctypes gives it: results by reference, errors as numbers."""

    def __init__(self, init=0, count=1, version=12080, attributes=()):
        self.init, self.count, self.version = init, count, version
        self.attributes = {75: 9, 76: 0, 16: 132, 13: 1_980_000, 36: 3_201_000, **dict(attributes)}

    def cuDriverGetVersion(self, out):  # noqa: N802
        out._obj.value = self.version
        return 0

    def cuInit(self, flags):  # noqa: N802
        return self.init

    def cuDeviceGetCount(self, out):  # noqa: N802
        out._obj.value = self.count
        return 0

    def cuDeviceGet(self, out, number):  # noqa: N802
        out._obj.value = number
        return 0

    def cuDeviceGetName(self, out, size, device):  # noqa: N802
        out.value = b"NVIDIA H200"
        return 0

    def cuDeviceTotalMem_v2(self, out, device):  # noqa: N802
        out._obj.value = 150_000_000_000
        return 0

    def cuDeviceGetAttribute(self, out, which, device):  # noqa: N802
        if self.attributes[which] is None:
            return 1
        out._obj.value = self.attributes[which]
        return 0

    def cuGetErrorName(self, error, out):  # noqa: N802
        out._obj.value = NAMES.get(error)
        return 0

    def cuGetErrorString(self, error, out):  # noqa: N802
        out._obj.value = b"some\n words" if error in NAMES else None
        return 0


def test_a_driver_tells_its_gpus(monkeypatch):
    monkeypatch.setattr(nvidia, "_release", lambda: "570.86.15")
    assert nvidia.ask(Library()) == FINE
    assert nvidia.ask(Library(count=2)).gpus == (H200, H200)
    silent = nvidia.ask(Library(attributes={13: None, 36: None}))
    assert silent.gpus == (H200._replace(clock=0, memory_clock=0),)


def test_what_is_no_driver_is_told():
    assert "cuDriverGetVersion" in nvidia.ask(object()).error


def explained(library, packages=12):
    return availability.explain(nvidia.ask(library), packages)


def test_no_driver():
    said = availability.explain(None, 12)
    assert said == "backend cuda needs an NVIDIA driver, and none was found on this machine"


@pytest.mark.parametrize("library", [Library(init=100), Library(count=0)])
def test_a_driver_without_gpu(library, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    said = explained(library)
    assert said == "backend cuda found an NVIDIA driver, but no GPU that it may use"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert explained(library) == f"{said} (CUDA_VISIBLE_DEVICES is '7')"


def test_a_driver_that_does_not_start():
    assert explained(Library(init=803)) == (
        "backend cuda found an NVIDIA driver that does not start: "
        "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: some words"
    )
    assert explained(Library(init=4711)).endswith("does not start: error 4711")


@pytest.mark.parametrize(
    ("version", "packages", "end"),
    [
        (12080, 13, "CUDA 12.8, but the installed packages are for CUDA 13; or those for CUDA 12: "),
        (11040, 12, "CUDA 11.4, but the installed packages are for CUDA 12"),
        (12000, 12, None),  # minor versions of one CUDA go together
        (13010, 12, None),
        (13010, None, None),
    ],
)
def test_a_driver_that_is_too_old_for_the_packages(version, packages, end):
    said = explained(Library(version=version), packages)
    if end is None:
        assert said is None
        return
    start = "backend cuda needs a newer NVIDIA driver: this one supports "
    assert said == start + end + ("pip install 'ebmbench[cuda]'" if packages == 13 else "")


def test_a_gpu_that_is_too_old_for_the_packages():
    assert availability.explain(FINE._replace(gpus=(V100,)), 12) is None
    newer = FINE._replace(cuda=(13, 0))
    assert availability.explain(newer._replace(gpus=(V100,)), 13) == (
        "backend cuda needs a GPU of compute capability 7.5 or higher with packages for CUDA 13, "
        "but Tesla V100 has 7.0; those for CUDA 12 know it: pip install 'ebmbench[cuda]'"
    )
    said = availability.explain(newer._replace(gpus=(K80, H200)), 12)  # the first one is used
    assert said.endswith("5.0 or higher with packages for CUDA 12, but Tesla K80 has 3.7")


@pytest.fixture
def here(monkeypatch):
    """`obstacle()` with a driver that is fine, as if numba-cuda were there and not simulating."""
    monkeypatch.setattr(availability, "find_spec", lambda name: object())
    monkeypatch.setattr(availability, "SIMULATED", False)
    monkeypatch.setattr(availability, "_packages", lambda: 12)
    monkeypatch.setattr(nvidia, "driver", lambda: FINE)
    monkeypatch.delenv("NUMBA_DISABLE_CUDA", raising=False)
    return monkeypatch


def test_the_package_is_missing(here):
    here.setattr(availability, "find_spec", lambda name: None)
    said = "backend cuda needs the package numba-cuda: pip install 'ebmbench[{}]'"
    assert availability.obstacle() == said.format("cuda")
    here.setattr(nvidia, "driver", lambda: FINE._replace(cuda=(13, 0)))
    assert availability.obstacle() == said.format("cuda13")
    here.setattr(nvidia, "driver", lambda: None)
    assert availability.obstacle() == said.format("cuda")


def test_it_is_switched_off(here):
    here.setenv("NUMBA_DISABLE_CUDA", "1")
    said = "backend cuda is switched off by NUMBA_DISABLE_CUDA in the environment"
    assert availability.obstacle() == said


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ("numba.cuda", ImportError("NVIDIA CUDA Python bindings not found. Install ...\nmore")),
        ("numba.cuda", AttributeError("module 'numba.cuda.types' has no attribute 'NPDatetime'")),
        ("nvvm", RuntimeError('Failure finding "libnvvm.so"')),
        ("nvrtc", RuntimeError('Failure finding "libnvrtc.so.12"')),
        ("typing_context", AttributeError("module 'numpy' has no attribute 'row_stack'")),
        ("target_context", AttributeError("module 'numpy' has no attribute 'row_stack'")),
    ],
)
def test_packages_that_numba_cuda_needs_are_missing(here, broken, error):
    """What 0.30 raises without its extra, and an old one where Numba or NumPy is too new for it."""

    def fail(*_):
        raise error

    modules = {name: type(sys)(name) for name in ("numba", "numba.cuda", "numba.cuda.cudadrv")}
    descriptor = modules["numba.cuda.descriptor"] = type(sys)("descriptor")
    contexts = {
        name: SimpleNamespace(refresh=fail if broken == name else list)
        for name in ("typing_context", "target_context")
    }
    descriptor.cuda_target = SimpleNamespace(**contexts)
    nvvm, nvrtc = type(sys)("nvvm"), type(sys)("nvrtc")
    nvvm.NVVM = fail if broken == "nvvm" else list
    nvrtc.get_supported_ccs = fail if broken == "nvrtc" else list
    modules["numba"].cuda = modules["numba.cuda"]
    modules["numba.cuda.cudadrv"].nvvm = nvvm
    modules["numba.cuda.cudadrv"].nvrtc = nvrtc
    for name, module in modules.items():
        here.setitem(sys.modules, name, module)
    if broken == "numba.cuda":
        here.setitem(sys.modules, "numba.cuda.cudadrv", None)
        del modules["numba"].cuda
        here.delitem(sys.modules, "numba.cuda")
        modules["numba"].__path__ = []
        here.setattr(sys, "meta_path", [type("Finder", (), {"find_spec": fail})()])
    said = availability.obstacle()
    first = str(error).splitlines()[0].rstrip(".")
    assert said == (
        f"backend cuda needs all of numba-cuda, which does not start ({type(error).__name__}: {first}): "
        "pip install 'ebmbench[cuda]', or CUDA_HOME where a CUDA toolkit is installed"
    )


@needs_numba_cuda
def test_numba_cuda_finds_the_name_that_numpy_dropped():
    """NumPy 2.5 is without `row_stack`; the compiler asks for it when it loads what it knows of NumPy."""
    code = """
import numba.np.arrayobj, numpy
vars(numpy).pop("row_stack", None)
numpy.__all__ = [name for name in numpy.__all__ if name != "row_stack"]
import ebmbench.kernels.cuda
from numba.cuda.descriptor import cuda_target
cuda_target.target_context.refresh()
"""
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_all_is_there(here):
    here.setattr(availability, "_missing", lambda driver: None)
    assert availability.obstacle() is None


def test_the_machine_is_known_by_its_gpus(monkeypatch):
    def described(driver):
        monkeypatch.setattr(nvidia, "driver", lambda: driver)
        machine.facts.cache_clear()
        machine.machine_id.cache_clear()
        return machine.facts(), machine.machine_id()

    try:
        without, plain = described(None)
        assert "gpus" not in without
        assert described(Driver("CUDA_ERROR_NO_DEVICE", (12, 8), (), "570")) == (without, plain)
        facts, known = described(FINE)
        assert facts["gpus"] == [
            {
                "name": "NVIDIA H200", "memory_gib": 139.7, "compute_capability": "9.0",
                "multiprocessors": 132, "clock_mhz": 1980, "memory_clock_mhz": 3201,
            }
        ]  # fmt: skip
        assert (facts["nvidia_driver"], facts["cuda_of_driver"]) == ("570.86.15", "12.8")
        _, older = described(FINE._replace(gpus=(V100,)))
        assert len({plain, known, older}) == 3
        assert described(FINE._replace(release="571.1"))[1] == known
    finally:
        monkeypatch.undo()
        machine.facts.cache_clear()
        machine.machine_id.cache_clear()


def in_a_process(*arguments, **environment):
    """What a fresh Python says."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(SIMULATED or ON_GPU, reason="cuda is there")
def test_without_a_gpu_nothing_of_cuda_is_imported():
    code = (
        "import sys; from ebmbench.kernels import api; from ebmbench.harness import machine;"
        "machine.facts(); machine.code_version(); print(api.state('cuda'));"
        "assert not {'numba.cuda', 'cuda.bindings', 'cuda.core'} & sys.modules.keys()"
    )
    done = in_a_process("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == api.state("cuda")


@needs_numba_cuda
def test_the_simulator_is_said_to_be_one():
    done = in_a_process("-m", "ebmbench", "list", "--json", NUMBA_ENABLE_CUDASIM="1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["backends"]["cuda"] == (
        "simulated (NUMBA_ENABLE_CUDASIM): kernels run slowly as Python on the host, "
        "and rows made with them carry no times"
    )
