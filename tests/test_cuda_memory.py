"""Memory and faults of the CUDA backend, with a driver that is made up: what it says, and when."""

import gc
import re
from importlib.util import find_spec

import numpy as np
import pytest
from ways import ON_GPU, SIMULATED

if find_spec("numba_cuda") is None or SIMULATED or ON_GPU:
    pytest.skip("needs numba-cuda, and neither its simulator nor a GPU", allow_module_level=True)

from emulator.driver import install
from numba import cuda
from numba.cuda.cudadrv.driver import CudaAPIError

from ebmbench.errors import DeviceError
from ebmbench.kernels.api import load
from ebmbench.kernels.cuda import device, direct, faults, memory
from ebmbench.kernels.cuda.launch import Kernel

OOM = "Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY"
ILLEGAL = "Call to {} results in CUDA_ERROR_ILLEGAL_ADDRESS"


class FromACore(Exception):
    """As cuda.core's CUDAError, which is no relation of Numba's."""


def oom(*_):
    raise CudaAPIError(2, OOM)


@pytest.fixture
def gpu(monkeypatch):
    """An emulated GPU with nothing in its pool, and no memory of faults."""
    monkeypatch.setattr(memory, "_free", type(memory._free)(list))
    monkeypatch.setattr(faults, "_lost", [])
    monkeypatch.setattr(faults, "_kept", [])
    emulator, stack = install()
    with stack:
        yield emulator
        gc.collect()


@pytest.fixture
def asked(gpu, monkeypatch):
    """The shapes that the driver was asked for."""
    shapes = []
    allocate = cuda.device_array

    def device_array(shape, dtype):
        shapes.append(shape)
        return allocate(shape, dtype)

    monkeypatch.setattr(cuda, "device_array", device_array)
    return shapes


def address(array):
    return array.gpu_data.device_pointer


def test_memory_is_handed_out_again(asked):
    first = memory.empty((3, 4))
    where = address(first)
    del first
    gc.collect()
    again = memory.empty((3, 4))
    assert address(again) == where
    assert asked == [(3, 4)]
    other = memory.empty((3, 4))
    assert address(other) != where
    memory.empty((3, 4), np.uint8)
    memory.empty(12)
    assert asked == [(3, 4), (3, 4), (3, 4), (12,)]  # another type or shape is other memory


def test_memory_with_a_slice_in_use_is_not_handed_out(asked):
    whole = memory.upload(np.arange(12.0, dtype=np.float32).reshape(3, 4))
    part = whole[1:]
    piece = part[:1]
    del whole, part
    gc.collect()
    memory.zeros((3, 4))
    assert memory.download(piece).tolist() == [[4.0, 5.0, 6.0, 7.0]]
    assert asked == [(3, 4), (3, 4)]
    del piece
    gc.collect()
    assert len(memory._free[(3, 4), "<f4"]) == 2


def test_memory_with_a_view_in_use_is_not_handed_out(asked):
    whole = memory.upload(np.arange(12.0, dtype=np.float32).reshape(3, 4))
    views = [whole.reshape(12), whole.view(np.int32), whole[2:].reshape(4)]
    del whole
    while views:
        gc.collect()
        assert not any(memory._free.values())
        views.pop()
    gc.collect()
    assert len(memory._free[(3, 4), "<f4"]) == 1


def test_memory_with_a_part_in_use_is_not_handed_out(asked):
    """A part of an array, and a slice of one, which is all that is left."""
    whole = memory.upload(np.arange(12.0, dtype=np.float32))
    parts = memory.parts(whole, {"W": (2, 3), "c": (2,), "d": (2, 2)})
    assert all(part.whole is whole for part in parts.values())
    del whole
    assert memory.download(parts["W"]).tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert memory.download(parts["c"]).tolist() == [6.0, 7.0]
    row = parts["d"][1]
    del parts
    gc.collect()
    memory.zeros(12)
    assert memory.download(row).tolist() == [10.0, 11.0]
    assert asked == [(12,), (12,)]
    del row
    gc.collect()
    assert len(memory._free[(12,), "<f4"]) == 2


def test_an_array_without_elements_needs_no_pool(asked):
    assert memory.download(memory.empty((0, 4))).shape == (0, 4)
    assert memory.download(memory.zeros((2, 0))).shape == (2, 0)


def test_a_full_gpu_gives_back_what_waits_and_is_asked_again(asked, monkeypatch):
    kept = memory.empty((8, 4))
    waits = memory.empty((9, 4))
    del waits
    gc.collect()
    allocate = cuda.device_array

    def device_array(shape, dtype):
        if any(memory._free.values()):
            oom()
        return allocate(shape, dtype)

    monkeypatch.setattr(cuda, "device_array", device_array)
    larger = memory.empty((10, 4))
    assert not any(memory._free.values())
    assert (kept.shape, larger.shape) == ((8, 4), (10, 4))


def test_too_many_chains_are_told_in_one_sentence(gpu, monkeypatch):
    monkeypatch.setattr(cuda, "device_array", oom)
    with pytest.raises(DeviceError) as caught:
        memory.empty((10**9, 784), np.uint8)
    said = str(caught.value)
    assert said == (
        "the GPU's memory does not hold 1000000000 rows of 784 bytes each: 0.1 of 0.1 GiB are free, "
        f"room for at most {gpu.free // 784}; ask for fewer chains or a smaller batch"
    )
    assert faults._lost == []


def test_a_driver_in_trouble_need_not_say_how_much_is_free(gpu, monkeypatch):
    monkeypatch.setattr(cuda, "device_array", oom)
    monkeypatch.setattr(cuda, "current_context", oom)
    with pytest.raises(DeviceError, match="its driver does not say how much is free; ask for fewer"):
        memory.empty((10, 4))


KINDS = [
    CudaAPIError(700, ILLEGAL.format("cuX")),
    FromACore("CUDA_ERROR_ILLEGAL_ADDRESS: The device ..."),
]


def launch(k):
    k.take(k.put_rows(np.ones((2, 3), np.uint8)), np.array([1, 0]))


DRIVER = "numba.cuda.cudadrv.driver.driver"
CALLS = {
    "a launch": ("ebmbench.kernels.cuda.launch.Kernel._launch", launch),
    "a compilation": ("ebmbench.kernels.cuda.launch.Kernel._compile", launch),
    "synchronize": ("numba.cuda.synchronize", lambda k: k.synchronize()),
    "describe": ("numba.cuda.get_current_device", lambda k: k.describe()),
    "an upload": (f"{DRIVER}.cuMemcpyHtoD", lambda k: memory.upload(np.ones(3))),
    "a download": (f"{DRIVER}.cuMemcpyDtoH", lambda k: memory.download(memory.empty(3))),
    "a memset": (f"{DRIVER}.cuMemsetD8", lambda k: memory.zeros(3)),
    "an allocation": ("numba.cuda.device_array", lambda k: memory.empty(3)),
}


@pytest.mark.parametrize("error", KINDS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("call", CALLS)
def test_a_lost_context_is_told_and_remembered(gpu, monkeypatch, call, error):
    target, work = CALLS[call]
    deferred = []
    monkeypatch.setattr(cuda, "defer_cleanup", lambda: deferred.append(1) or pytest.MonkeyPatch.context())

    def fail(*_):
        raise error

    k = load("cuda")
    with monkeypatch.context() as patch:
        patch.setattr(target, fail)
        with pytest.raises(DeviceError) as caught:
            work(k)
    said = str(caught.value)
    assert said.startswith("the GPU's context was lost (CUDA_ERROR_ILLEGAL_ADDRESS), and this process")
    assert "\n" not in said
    assert deferred == [1]
    for work in (lambda k: memory.empty(5), lambda k: k.synchronize(), launch):
        with pytest.raises(DeviceError, match=re.escape(said)):
            work(k)


def test_what_cannot_be_launched_directly_is_launched_by_numba_from_then_on(gpu, monkeypatch):
    """And `describe` says so."""
    k, calls = load("cuda"), []

    def odd(*_):
        calls.append("direct")
        raise TypeError("launch() takes 3 positional arguments")

    monkeypatch.setattr(direct, "_refused", [])
    monkeypatch.setattr(device._take, "_compiled", {})
    monkeypatch.setattr(Kernel, "_compile", lambda *_: (odd, lambda *given: calls.append("by Numba")))
    for _ in range(2):
        launch(k)
    assert calls == ["direct", "by Numba", "by Numba"]
    assert direct.described() == "by Numba"


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_finds_no_memory_is_told(gpu, monkeypatch, call):
    target, work = CALLS[call]
    monkeypatch.setattr(target, oom)
    with pytest.raises(DeviceError, match=r"memory .* 0.1 of 0.1 GiB are free.*; ask for fewer chains"):
        work(load("cuda"))
    assert faults._lost == []


def test_a_launch_that_finds_no_memory_is_tried_once_more(gpu, monkeypatch):
    from ebmbench.kernels.cuda.launch import Kernel

    k, tried = load("cuda"), []
    launched = Kernel._launch

    def short(*arguments):
        tried.append(len(arguments))
        if len(tried) == 1:
            oom()
        return launched(*arguments)

    monkeypatch.setattr(Kernel, "_launch", short)
    rows = k.take(k.put_rows(np.eye(3, dtype=np.uint8)), np.array([2, 0]))
    assert k.get_rows(rows).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert len(tried) == 2


def test_another_error_of_the_driver_is_told_as_it_is(gpu):
    with (
        pytest.raises(DeviceError, match=r"the GPU refused \(.* in CUDA_ERROR_INVALID_VALUE\)"),
        faults.explained(),
    ):
        raise CudaAPIError(1, "Call to cuMemcpyHtoD results in\nCUDA_ERROR_INVALID_VALUE")
    assert memory.empty(3).size == 3  # and the GPU can still be used


def test_a_fault_of_our_own_is_not_the_gpus(gpu):
    with pytest.raises(TypeError, match="wrong"), faults.explained():
        raise TypeError("wrong")
    with pytest.raises(ZeroDivisionError):
        memory.with_room(lambda: 1 // 0)
