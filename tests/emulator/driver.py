"""The emulated GPU below Numba: its driver's calls and its launches, everything above is Numba's own.

The backend's arrays are Numba's arrays, a kernel is compiled and its arguments are laid out by Numba;
only what would reach NVIDIA's driver comes here.
"""

import ctypes
from contextlib import ExitStack, nullcontext
from types import SimpleNamespace
from unittest import mock

import numpy as np

from emulator.machine import Machine
from emulator.memory import GLOBAL, Heap

CAPABILITY = (9, 0)
MULTIPROCESSORS = 132


class Emulator:
    """A heap, and counts of what was asked of the driver: launches, copies, allocations.

    order: as of `Machine`; it may be changed between launches.
    """

    def __init__(self, order="lockstep"):
        self.heap, self.order = Heap(), order
        self.launches = self.copies = self.allocations = 0
        self.modules = {}
        self.device = SimpleNamespace(
            id=0, name="emulated GPU", compute_capability=CAPABILITY, MULTIPROCESSOR_COUNT=MULTIPROCESSORS
        )
        self.free = self.total = 8 * self.heap.words.size

    # --- what a context does ---------------------------------------------------------------------

    def memalloc(self, size):
        from numba.cuda.cudadrv.driver import MemoryPointer

        self.allocations += 1
        return MemoryPointer(self, ctypes.c_void_p(self.heap.allocate(size)), size)

    def get_memory_info(self):
        return SimpleNamespace(free=self.free, total=self.total)

    def create_module_image(self, image, *callbacks):
        """A module whose one function runs the image, which is PTX here."""
        kernel = Machine(image, self.heap, self.order)
        function = SimpleNamespace(name="kernel", kernel=kernel)
        function.module = SimpleNamespace(initialized=True, get_function=lambda name: function)
        self.modules[id(kernel)] = function
        return function.module

    # --- what the driver does --------------------------------------------------------------------

    def _bytes(self, address, count):
        return self.heap.words.view(np.uint8)[address - GLOBAL :][:count]

    def cuMemcpyHtoD(self, target, source, count):  # noqa: N802
        self.copies += 1
        ctypes.memmove(self._bytes(int(target), count).ctypes.data, int(source), count)

    def cuMemcpyDtoH(self, target, source, count):  # noqa: N802
        self.copies += 1
        ctypes.memmove(int(target), self._bytes(int(source), count).ctypes.data, count)

    def cuMemsetD8(self, target, value, count):  # noqa: N802
        self._bytes(int(target), count)[:] = value

    def launch(self, stream, config, kernel, *arguments):
        """In the place of cuda.core's launch."""
        self.launches += 1
        values = [getattr(value, "value", value) for value in arguments]
        grid, block = _three(config.grid), _three(config.block)
        assert (*block[1:], grid[2]) == (1, 1, 1), "the emulator knows blocks of one dimension"
        kernel.order = self.order
        kernel.launch(grid[:2], block[0], values, config.shmem_size)


def _three(shape):
    return (*((shape,) if isinstance(shape, int) else shape), 1, 1)[:3]


def install(order="lockstep"):
    """An `Emulator` in the driver's place, for as long as the returned stack is open."""
    import numba.cuda
    from numba.cuda import dispatcher
    from numba.cuda.codegen import CUDACodeLibrary
    from numba.cuda.cudadrv import devices
    from numba.cuda.cudadrv import driver as numba_driver

    from ebmbench.kernels import cuda as backend
    from ebmbench.kernels.cuda import direct, launch, memory

    emulator = Emulator(order)
    driver = numba_driver.driver
    stack = ExitStack()
    stack.callback(memory._free.clear)
    stack.callback(direct.parts.cache_clear)
    direct.parts.cache_clear()
    stack.callback(lambda: [kernel._compiled.clear() for kernel in launch.KERNELS])
    for target, name, value in (
        (driver, "is_initialized", True),
        (driver, "initialization_error", None),
        *(
            (driver, name, getattr(emulator, name))
            for name in ("cuMemcpyHtoD", "cuMemcpyDtoH", "cuMemsetD8")
        ),
        (devices, "get_context", lambda number=None: emulator),
        (devices._runtime, "get_or_create_context", lambda number=None: emulator),
        (devices._runtime, "ensure_context", nullcontext),
        (numba_driver, "_to_core_stream", lambda stream: None),
        (dispatcher, "get_current_device", lambda: emulator.device),
        (dispatcher, "launch", emulator.launch),
        # What is linked for a GPU; here the text goes on as it is.
        (CUDACodeLibrary, "get_cubin", lambda library, cc=None: library.get_asm_str(cc=cc)),
        (numba.cuda, "synchronize", lambda: None),
        (numba.cuda, "current_context", lambda number=None: emulator),
        (numba.cuda, "get_current_device", lambda: emulator.device),
        (backend, "obstacle", lambda: None),
    ):
        stack.enter_context(mock.patch.object(target, name, value, create=True))
    return emulator, stack
