"""The emulated GPU in the place of Numba's driver: arrays, launches, and what else the backend calls."""

import weakref
from contextlib import ExitStack
from functools import cache
from types import SimpleNamespace
from unittest import mock

import numpy as np
from ptx import compile_ptx

from emulator.machine import Machine
from emulator.memory import Heap

CAPABILITY = (9, 0)


class Array:
    """What the backend sees of Numba's device arrays; gpu_data holds the address."""

    def __init__(self, shape, strides, dtype, gpu_data):
        self.shape, self.strides, self.dtype, self.gpu_data = (
            tuple(shape),
            strides,
            np.dtype(dtype),
            gpu_data,
        )
        self.ndim, self.size = len(self.shape), int(np.prod(self.shape))
        self.nbytes = self.size * self.dtype.itemsize

    def __len__(self):
        return self.shape[0]

    @property
    def values(self):
        """The elements, in the heap."""
        return self.gpu_data.heap.array(self.gpu_data.address, self.shape, self.dtype)

    def is_c_contiguous(self):
        return True

    def copy_to_host(self):
        return self.values.copy()

    def copy_to_device(self, other):
        self.values[...] = getattr(other, "values", other)

    def __getitem__(self, rows):
        assert isinstance(rows, slice), "only leading slices are contiguous"
        first, last, step = rows.indices(len(self))
        assert step == 1
        at = self.gpu_data.address + first * (self.strides[0] if self.size else 0)
        data = SimpleNamespace(
            heap=self.gpu_data.heap, address=at, memset=self.gpu_data.memset, owner=self.gpu_data
        )
        return Array((last - first, *self.shape[1:]), self.strides, self.dtype, data)


class Pointer:
    """Numba's MemoryPointer, its context the heap: the finaliser runs once nothing refers to it."""

    def __init__(self, context, pointer, size, finalizer=None):
        self.context = self.heap = context
        self.device_pointer = self.address = pointer
        self.size = size
        if finalizer:
            weakref.finalize(self, finalizer)

    def memset(self, value, count):
        self.heap.array(self.address, (count,), np.dtype("u1")).fill(value)


class Emulator:
    """A heap and the kernels compiled so far; `launches` counts."""

    def __init__(self, order="lockstep"):
        self.heap, self.order, self.launches = Heap(), order, 0

    def device_array(self, shape, dtype=np.float64):
        """Poisoned memory."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        dtype = np.dtype(dtype)
        size = int(np.prod(shape)) * dtype.itemsize
        data = Pointer(self.heap, self.heap.allocate(size), size)
        strides = tuple(int(np.prod(shape[n + 1 :])) * dtype.itemsize for n in range(len(shape)))
        return Array(shape, strides, dtype, data)

    def compile(self, kernel, version):
        """What `Kernel._compile` gives: indexed by the launch's configuration, then called."""
        return _Configured(self, kernel, version)


@cache
def _text(kernel, version):
    return compile_ptx(kernel, version, CAPABILITY)


class _Configured:
    def __init__(self, emulator, kernel, version):
        self.emulator, self.kernel, self.version = emulator, kernel, version
        self.machine = Machine(_text(kernel, version), emulator.heap, emulator.order)

    def __getitem__(self, configuration):
        grid, threads, *rest = configuration
        return lambda *arguments: self._launch(grid, threads, rest[1] if len(rest) > 1 else 0, arguments)

    def _launch(self, grid, threads, shared, arguments):
        self.emulator.launches += 1
        assert threads <= self.kernel.threads, "more threads than the kernel's bound"
        flat = []
        declared = self.kernel.signatures[self.version].args
        for wanted, given in zip(declared, arguments, strict=True):
            if not isinstance(given, Array):
                flat.append(np.dtype(str(wanted)).type(given))
                continue
            assert (str(given.dtype), given.ndim) == (str(wanted.dtype), wanted.ndim), (
                f"{self.kernel.name}: {wanted}"
            )
            flat += [
                0,
                0,
                given.size,
                given.dtype.itemsize,
                given.gpu_data.address,
                *given.shape,
                *given.strides,
            ]
        self.machine.launch(grid, threads, flat, shared)


def install(order="lockstep"):
    """Put the emulator in the driver's place for as long as the returned stack is open."""
    import numba.cuda

    from ebmbench.kernels import cuda as backend
    from ebmbench.kernels.cuda import launch

    emulator = Emulator(order)
    device = SimpleNamespace(name="PTX emulator", compute_capability=CAPABILITY, MULTIPROCESSOR_COUNT=132)
    context = SimpleNamespace(get_memory_info=lambda: SimpleNamespace(free=2**26, total=2**26))
    stack = ExitStack()
    stack.callback(
        lambda: [k._compiled.__setitem__(slice(None), [None] * len(k._compiled)) for k in launch.KERNELS]
    )
    for target, name, value in (
        (numba.cuda, "device_array", emulator.device_array),
        (numba.cuda, "MemoryPointer", Pointer),
        (numba.cuda, "synchronize", lambda: None),
        (numba.cuda, "get_current_device", lambda: device),
        (numba.cuda, "current_context", lambda: context),
        (backend, "obstacle", lambda: None),
        (launch.Kernel, "_compile", lambda kernel, version: emulator.compile(kernel, version)),
    ):
        stack.enter_context(mock.patch.object(target, name, value))
    return emulator, stack
