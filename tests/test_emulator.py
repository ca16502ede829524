"""The emulated GPU is right about sound kernels and sees the faults that a GPU would hide."""

from importlib.util import find_spec

import numpy as np
import pytest
from ways import SIMULATED

if find_spec("numba_cuda") is None or SIMULATED:
    pytest.skip("numba-cuda is not installed, or is simulating", allow_module_level=True)

import numba
import ptx
from emulator.machine import Machine
from emulator.memory import Fault, Heap
from emulator.warps import GROUP, MEMBER, mma_m16n8k16
from numba import cuda

from ebmbench.kernels.cuda.launch import Kernel
from ebmbench.normal import normal
from ebmbench.philox import four_uniforms, unit_interval
from ebmbench.scalar import sigmoid

THREADS = 96


def scalars(x, words, out):
    t = cuda.grid(1)
    if t < out.shape[0]:
        a, b, c, d = four_uniforms(words[t], t, 7, 8, 9, 1)
        out[t, 0] = sigmoid(x[t])
        out[t, 1] = normal(a)
        out[t, 2] = b / c
        out[t, 3] = d


def reverse(values, out):
    s = cuda.shared.array(THREADS, numba.float32)
    t = cuda.threadIdx.x
    s[t] = values[t]
    cuda.syncthreads()
    out[t] = s[THREADS - 1 - t]


def reverse_without_barrier(values, out):
    s = cuda.shared.array(THREADS, numba.float32)
    t = cuda.threadIdx.x
    s[t] = values[t]
    out[t] = s[THREADS - 1 - t]


def reverse_beyond_the_end(values, out):
    t = cuda.threadIdx.x
    out[t] = values[t + 1]


def barrier_for_some(values, out):
    t = cuda.threadIdx.x
    if t < 40:
        cuda.syncthreads()
        out[t] = values[t]
    else:
        out[t] = values[t] + numba.float32(1.0)
        cuda.syncthreads()
        out[t] = values[t]


def divergent(values, out):
    """Loops of different lengths, and a branch inside."""
    t = cuda.threadIdx.x
    total = numba.float32(0.0)
    for n in range(t):
        if n % 3 == t % 3:
            total += values[n]
        else:
            total -= values[n]
    out[t] = total


def normals(words, out):
    t = cuda.grid(1)
    out[t] = normal(unit_interval(words[t]))


def run(body, signature, *arrays, order="lockstep", blocks=1):
    """The arrays after a launch."""
    text = ptx.compile_ptx(Kernel(body, signature, THREADS), 0, (9, 0))
    heap = Heap(1 << 19)
    flat, places = [], []
    for array in arrays:
        address = heap.allocate(array.nbytes)
        heap.array(address, array.shape, array.dtype)[...] = array
        flat += [0, 0, array.size, array.itemsize, address, *array.shape, *array.strides]
        places.append(address)
    Machine(text, heap, order).launch(blocks, THREADS, flat)
    return [heap.array(at, a.shape, a.dtype).copy() for at, a in zip(places, arrays, strict=True)]


def vectors():
    values = np.random.default_rng(0).normal(size=THREADS).astype(np.float32)
    return values, np.full(THREADS, np.nan, np.float32)


ORDERS = ["lockstep", *map(np.random.default_rng, range(3))]
TWO = "float32[::1], float32[::1]"


def test_scalars_have_the_bits_of_the_cpu():
    """Of compiled code for a GPU, instruction by instruction: nothing is contracted."""
    rng = np.random.default_rng(1)
    x = rng.normal(0, 6, 300).astype(np.float32)
    words = rng.integers(0, 2**32, 300, np.uint32)
    signature = "float32[::1], uint32[::1], float32[:,::1]"
    found = run(scalars, signature, x, words, np.full((300, 4), np.nan, np.float32), blocks=4)[-1]
    for t in range(300):
        a, b, c, d = four_uniforms(words[t], np.uint32(t), *map(np.uint32, (7, 8, 9, 1)))
        wanted = [sigmoid(x[t]), normal(a), np.float32(b) / np.float32(c), d]
        assert found[t].tolist() == np.array(wanted, np.float32).tolist()


def test_normal_variates_have_the_bits_of_the_cpu_far_into_the_tails():
    blocks = 300
    tails = np.random.default_rng(3).integers(0, 2**28, blocks * THREADS, np.uint32)
    words = np.where(np.arange(tails.size) % 2, tails, ~tails)
    none = np.zeros(words.size, np.float32)
    found = run(normals, "uint32[::1], float32[::1]", words, none, blocks=blocks)
    wanted = np.array([normal(unit_interval(word)) for word in words])
    assert (found[-1] == wanted).all()


@pytest.mark.parametrize("order", ORDERS, ids=["lockstep", "1", "2", "3"])
def test_warps_wait_at_a_barrier(order):
    values, out = vectors()
    assert run(reverse, TWO, values, out, order=order)[1].tolist() == values[::-1].tolist()


def test_a_missing_barrier_shows():
    values, out = vectors()
    assert run(reverse_without_barrier, TWO, values, out)[1].tolist() == values[::-1].tolist()  # in step
    found = [run(reverse_without_barrier, TWO, values, out, order=order)[1] for order in ORDERS[1:]]
    assert any(not np.array_equal(x, values[::-1]) for x in found)


def test_an_access_beyond_an_array_is_refused():
    with pytest.raises(Fault, match="outside every array"):
        run(reverse_beyond_the_end, TWO, *vectors())


def test_a_barrier_for_some_threads_is_refused():
    with pytest.raises(Fault, match="barrier"):
        run(barrier_for_some, TWO, *vectors())


@pytest.mark.parametrize("order", ORDERS[:2], ids=["lockstep", "1"])
def test_threads_take_their_own_ways(order):
    values, out = vectors()
    wanted = []
    for t in range(THREADS):
        total = np.float32(0)
        for n in range(t):
            total += values[n] if n % 3 == t % 3 else -values[n]
        wanted.append(total)
    assert run(divergent, TWO, values, out, order=order)[1].tolist() == np.array(wanted).tolist()


def test_a_tensor_core_product():
    """The layout of the fragments, stated here a second time from the PTX ISA's figures."""
    rng = np.random.default_rng(2)
    A, B = rng.integers(-8, 8, (16, 16)), rng.integers(-8, 8, (16, 8))
    C = rng.integers(-8, 8, (16, 8)).astype(np.float32)

    def bits(x):
        return (np.asarray(x, np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint32)

    def pair(low, high):
        return bits(low) | bits(high) << np.uint32(16)

    g, t = GROUP, 2 * MEMBER
    a = [pair(A[r, c], A[r, c + 1]) for r, c in ((g, t), (g + 8, t), (g, t + 8), (g + 8, t + 8))]
    b = [pair(B[k, g], B[k + 1, g]) for k in (t, t + 8)]
    c = [C[g, t], C[g, t + 1], C[g + 8, t], C[g + 8, t + 1]]
    D = A @ B + C
    wanted = [D[g, t], D[g, t + 1], D[g + 8, t], D[g + 8, t + 1]]
    for found, right in zip(mma_m16n8k16(a, b, c), wanted, strict=True):
        assert found.tolist() == right.tolist()
