"""What a block of threads does together: sums, and the memory it works in."""

from typing import Any

import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.device import padded
from ebmbench.kernels.cuda.launch import Kernel, device
from ebmbench.kernels.cuda.memory import empty

# Threads that a block of chains may have: enough for layers of so many units, and few enough to leave
# each thread 72 registers. With 1,024, the most that a GPU allows, there would be 64, and tempering
# would spill.
THREADS = 896
SHARED = 48 * 1024  # bytes of shared memory that any GPU gives a block without being asked
IN_TURN = 1024  # blocks that get memory of their own where shared memory is too small

_U32 = np.uint32


@device
def block_sum(value, room):
    """The sum of every thread's float64, in all threads, added in the same order every time.

    room: float64, one element a thread.
    """
    t = _U32(cuda.threadIdx.x)
    room[t] = value
    width = _U32(cuda.blockDim.x)
    cuda.syncthreads()
    while width > _U32(1):
        half = _U32((width + _U32(1)) >> _U32(1))
        if t + half < width:
            room[t] += room[t + half]
        width = half
        cuda.syncthreads()
    total = room[_U32(0)]
    cuda.syncthreads()
    return total


def threads_for(widest: int) -> int:
    """Threads of a block whose layers have at most so many (padded) units: one for each one, two, ..."""
    columns = -(-widest // THREADS)
    return padded(-(-widest // columns))


def launch_blocks(
    inside: Kernel, outside: Kernel, blocks: int, widest: int, size: int, *arguments: Any
) -> None:
    """Launch one block a piece of work, each with so many bytes of memory.

    inside: the kernel that takes them from shared memory; outside: that whose first argument holds
    them, uint8 [blocks, size], where they do not fit; widest: see `threads_for`.
    """
    threads = threads_for(widest)
    if size <= SHARED:
        inside(blocks, *arguments, threads=threads, shared=size)
        return
    blocks = min(blocks, IN_TURN)
    threads = min(threads, outside.threads)  # it may need more registers
    outside(blocks, empty((blocks, size), np.uint8), *arguments, threads=threads)
