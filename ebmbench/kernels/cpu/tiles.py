"""Products of states with integers in a processor's matrix unit (Intel's AMX, 8 bits).

A tile is 16 rows of 64 bytes. One instruction multiplies a tile of states, up to 16 chains of 64 units,
by a tile of 64 x 16 weights, and adds what comes to 16 x 16 sums of 32 bits: 16,384 multiply-adds in
16 cycles, where vectors of 16 floats do 512. Weights have three bytes, so a sum takes three such
products, which is still ten times the speed of vectors, and it is exact, in whichever order.

Two tiles of states and two of weights give four tiles of sums, so that four loads go with four products;
a load takes half as long as a product where it finds its bytes in the core's own caches.

Floors of a sweep of 100 chains of a 784 x 500 model, of which a core has half of each layer's columns:
9,984 products of 13 chains are 37 us, as measured without loads; loads by themselves 26, where all lie in
the innermost cache. Measured are 57: the two overlap but in part, and at each of 252 ends 150 cycles pass
until a pair's sums are stored. With what makes pre-activations of sums it is 68. Where each core has half
of the chains instead, it reads all of the integers, 2.5 MB, which its own 2 MB do not hold: 132 us.
"""

import ctypes
import sys
from functools import cache
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.emit import I64, LANES, WORDS, are_contiguous, load, opened, splat, store
from ebmbench.kernels.cpu.integers import COLUMNS, PLANES, UNITS, emit_pre_activation
from ebmbench.kernels.cpu.processor import FEATURES
from ebmbench.kernels.cpu.simd import CACHE_LINE, before_line, copy, fill

HEIGHT = 32  # chains in two tiles
BUILT = {"amx-tile", "amx-int8"} <= FEATURES and sys.platform == "linux"

_LARGE = 2**16
_TILE_BYTES = 1024
_ARCH_PRCTL, _ASK_FOR_STATE, _TILE_DATA = 158, 0x1023, 18  # Linux on x86-64: asm/prctl.h
_BYTE = ir.IntType(8)
_STATES, _WEIGHTS = (4, 5), (6, 7)  # registers; those before hold sums


@cache
def allowed() -> bool:
    """Whether this process may use the unit: Linux keeps room for its registers for who asks."""
    if not BUILT:
        return False
    numbers = map(ctypes.c_long, (_ARCH_PRCTL, _ASK_FOR_STATE, _TILE_DATA))
    return ctypes.CDLL(None).syscall(*numbers) == 0


def worth(entries: int) -> bool:
    """Whether a single product by a matrix of so many entries is worth that they become integers."""
    return entries >= _LARGE and allowed()


def _emit(builder, name, *arguments):
    kind = ir.FunctionType(ir.VoidType(), [one.type for one in arguments])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}"), arguments)


def _register(number):
    return ir.Constant(_BYTE, number)


@intrinsic
def _configure(typingctx, shape):
    """Give the registers the shapes that 64 bytes say."""
    if not are_contiguous(types.uint8, shape):
        return None

    def codegen(context, builder, signature, args):
        if BUILT:
            _emit(builder, "ldtilecfg", opened(context, builder, signature, args)[0].data)
        return context.get_dummy_value()

    return types.void(shape), codegen


@intrinsic
def _release(typingctx):
    """Leave the registers empty, which a change of threads then need not save."""

    def codegen(context, builder, signature, args):
        if BUILT:
            _emit(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _pair(typingctx, states, row, stride, rows, planes, place, blocks, sums):
    """sums[:2 rows] = two tiles of states, from a row on, times two tiles of weights, over all blocks.

    states: uint8, rows so many bytes apart; planes: uint32, whose weights start at a place, one block of
    units after the other; sums: int32 [any, COLUMNS].
    """
    if not (are_contiguous(types.uint8, states) and are_contiguous(types.uint32, planes)):
        return None
    if not are_contiguous(types.int32, sums):
        return None
    n = types.intp
    signature = types.void(states, n, n, n, planes, n, n, sums)

    def codegen(context, builder, signature, args):
        if BUILT:
            _emit_pair(builder, *opened(context, builder, signature, args))
        return context.get_dummy_value()

    return signature, codegen


def _emit_pair(builder, states, row, stride, rows, planes, place, blocks, sums):
    def behind(pointer, number):
        return builder.gep(pointer, [number])

    def constant(number):
        return ir.Constant(I64, number)

    upper = behind(states.data, builder.mul(row, stride))
    here = cgutils.alloca_once_value(builder, upper)
    there = cgutils.alloca_once_value(
        builder, builder.bitcast(behind(planes.data, place), _BYTE.as_pointer())
    )
    apart = builder.mul(rows, stride)
    for number in range(4):
        _emit(builder, "tilezero", _register(number))
    with cgutils.for_range(builder, blocks):
        chains, weights = builder.load(here), builder.load(there)
        _emit(builder, "tileloadd64", _register(_STATES[0]), chains, stride)
        _emit(builder, "tileloadd64", _register(_STATES[1]), behind(chains, apart), stride)
        for n, register in enumerate(_WEIGHTS):
            tile = behind(weights, constant(n * _TILE_BYTES))
            _emit(builder, "tileloaddt164", _register(register), tile, constant(64))
            for m in range(2):
                _emit(builder, "tdpbssd", *map(_register, (2 * m + n, _STATES[m], register)))
        builder.store(behind(chains, constant(UNITS)), here)
        builder.store(behind(weights, constant(2 * _TILE_BYTES)), there)
    line = constant(4 * COLUMNS)
    top = builder.bitcast(sums.data, _BYTE.as_pointer())
    for m in range(2):
        for n in range(2):
            end = behind(top, builder.mul(builder.mul(rows, constant(m)), line))
            _emit(builder, "tilestored64", _register(2 * m + n), behind(end, constant(64 * n)), line)


@intrinsic
def _put_together(typingctx, sums, rows, bias, step, column, vectors, x, row):
    """X's so many rows from a row, and vectors from a column, of the sums of all planes."""
    if not (are_contiguous(types.float32, bias, step, x) and are_contiguous(types.int32, sums)):
        return None
    n = types.intp

    def codegen(context, builder, signature, args):
        sums, rows, bias, step, column, vectors, x, row = opened(context, builder, signature, args)
        columns = builder.extract_value(x.shape, 1)
        with cgutils.for_range(builder, vectors) as part:
            behind = builder.mul(part.index, ir.Constant(I64, LANES))
            at = builder.add(column, behind)
            biases, steps = (load(builder, builder.gep(array.data, [at])) for array in (bias, step))
            target = builder.gep(x.data, [builder.add(builder.mul(row, columns), at)])
            with cgutils.for_range(builder, rows) as line:
                place = builder.add(builder.mul(line.index, ir.Constant(I64, COLUMNS)), behind)
                number = ir.Constant(WORDS, None)
                for plane in range(PLANES):
                    there = builder.add(place, ir.Constant(I64, plane * HEIGHT * COLUMNS))
                    digit = load(builder, builder.gep(sums.data, [there]), WORDS)
                    number = builder.add(builder.shl(number, splat(WORDS, 8)), digit)
                value = emit_pre_activation(builder, biases, number, steps)
                store(builder, value, builder.gep(target, [builder.mul(line.index, columns)]))
        return context.get_dummy_value()

    return types.void(sums, n, bias, step, n, n, x, n), codegen


@inner(forceinline=True)
def _tile_height(chains):
    """How many chains a tile of states holds, where so many are spread over pairs of tiles."""
    pairs = (chains + HEIGHT - 1) // HEIGHT
    return (chains + 2 * pairs - 1) // (2 * pairs)


class Room(NamedTuple):
    """Scratch: states as tiles hold them, uint8; sums, int32 [PLANES, HEIGHT, COLUMNS]."""

    states: np.ndarray
    sums: np.ndarray


@jit(forceinline=True)
def state_bytes(units):
    """How many bytes a state of so many units takes as tiles hold it."""
    return (units + UNITS - 1) // UNITS * UNITS


@inner(allocates=True)
def room(chains, units):
    """A `Room` for so many chains, 0 for none, of layers of at most so many units."""
    size = (chains + HEIGHT) * state_bytes(units) if chains > 0 else 0
    states = np.empty(size + CACHE_LINE, np.uint8)
    return Room(states[before_line(states) :], np.empty((PLANES, HEIGHT, COLUMNS), np.int32))


@inner(allocates=True, forceinline=True)
def _shape(rows):
    shape = np.zeros(64, np.uint8)
    shape[0] = 1
    for register in range(8):
        shape[16 + 2 * register] = 64  # bytes a row
        shape[48 + register] = rows if register < _WEIGHTS[0] else 16
    return shape


@inner
def lay_out(states, laid):
    """Write states, uint8 [chains, units], to `laid`, uint8, as tiles hold them."""
    chains, units = states.shape
    stride = state_bytes(units)
    for r in range(chains):
        # On cache lines, as loads that cross them take twice as long, and 0 behind the units.
        line = laid[r * stride : (r + 1) * stride]
        copy(states[r], line[:units])
        fill(line[units:], np.uint8(0))


@inner
def multiply(bias, step, planes, states, left, right, room, x):
    """Columns [left, right) of x = bias + step (states times integers); left: a multiple of COLUMNS.

    bias, step: float32 [columns]; planes: uint32, of `Integers`; states: uint8 [chains, units] of 0 and
    1; room: of `room`; x: float32 [at least chains, columns].
    """
    lay_out(states, room.states)
    multiply_laid_out(bias, step, planes, room.states, states.shape[0], left, right, room.sums, x)


@inner(allocates=True)
def multiply_laid_out(bias, step, planes, states, chains, left, right, sums, x):
    """The same of states that lie as tiles hold them.

    states: uint8 [at least (chains + HEIGHT) laid out units], on cache lines, of which the first chains
    count, 0 behind the units; sums: of `Room`.
    """
    blocks = planes.shape[2]
    stride, rows = blocks * UNITS, _tile_height(chains)
    size = blocks * 2 * _TILE_BYTES // 4
    _configure(_shape(rows))
    for first in range(left, right, COLUMNS):
        vectors = (min(right, first + COLUMNS) - first) // LANES
        place = first // COLUMNS * PLANES * size
        for top in range(0, chains, 2 * rows):
            for plane in range(PLANES):
                there = place + plane * size
                _pair(states, top, stride, rows, planes, there, blocks, sums[plane])
            height = min(chains - top, 2 * rows)
            _put_together(sums, height, bias, step, first, vectors, x, top)
    _release()
