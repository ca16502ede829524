"""Numba's simulator with the threads of a block taking turns, from one barrier to the next.

The simulator itself starts a thread of Python's for each and asks them again and again whether all have
come to the barrier, which takes far longer than what they compute. Here one thread runs at a time and
hands over to the next, in an order that is drawn anew after every barrier: where a barrier is missing,
what one thread reads has been written by another, or not yet.
"""

import random
import sys
import threading

import numpy as np

_ORDER = random.Random(0)


class _Block:
    """Who may run: those that have not yet come to the next barrier, one by one."""

    def __init__(self, threads):
        self.ready, self.arrived = list(threads), []
        _ORDER.shuffle(self.ready)
        self.failed, self.done = None, threading.Lock()
        self.done.acquire()

    def hand_over(self):
        """By the thread whose turn ends; the block is done where nobody is left."""
        if not self.ready:
            self.ready, self.arrived = self.arrived, []
            _ORDER.shuffle(self.ready)
        (self.ready.pop().turn if self.ready else self.done).release()


def _run(manager, grid_point, *arguments):
    """In the place of `BlockManager.run`."""
    from numba.cuda.simulator.kernel import BlockThread

    def body():
        thread = threading.current_thread()
        thread.turn.acquire()
        try:
            if block.failed is None:
                manager._f(*arguments)
        except BaseException as error:
            block.failed = block.failed or error
            raise
        finally:
            block.hand_over()

    threads = [
        BlockThread(body, manager, grid_point, point, manager._debug)
        for point in np.ndindex(*manager._block_dim)
    ]
    block = manager.block = _Block(threads)
    for thread in threads:
        thread.turn = threading.Lock()
        thread.turn.acquire()
        thread.start()
    block.hand_over()
    block.done.acquire()
    for thread in threads:
        thread.join()
    if block.failed is not None:
        raise block.failed


def _syncthreads(thread):
    """In the place of `BlockThread.syncthreads`; threads that have ended are not waited for."""
    block = thread._manager.block
    block.arrived.append(thread)
    block.hand_over()
    thread.turn.acquire()
    if block.failed is not None:
        raise RuntimeError("another thread of the block failed")


def _shared_array(shared, shape, dtype, alignment=None):
    """In the place of `FakeCUDAShared.array`, which asks for the whole stack to know the line."""
    if shape == 0:
        return _of_launch(shared, shape, dtype)
    frame = sys._getframe(1)
    line = frame.f_code.co_filename, frame.f_lineno
    if line not in shared._allocations:
        from numba.np.numpy_support import as_dtype

        shared._allocations[line] = np.empty(shape, as_dtype(dtype))
    return shared._allocations[line]


def install():
    """For the rest of the process."""
    global _of_launch
    from numba.cuda.simulator.kernel import BlockManager, BlockThread
    from numba.cuda.simulator.kernelapi import FakeCUDAShared

    _of_launch = FakeCUDAShared.array
    FakeCUDAShared.array = _shared_array
    BlockManager.run = _run
    BlockThread.syncthreads = _syncthreads
