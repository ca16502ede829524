"""Which units of a layer are on or not 0, went on or off: lists of their numbers, 16 units at a time.

A vector of unit numbers is compressed to those that a mask picks, in one instruction where the processor
has it (AVX-512), and stored whole behind what is in the list already: never past the list's end, as
there are no more entries in it than units were looked at.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ebmbench.compile import inner
from ebmbench.kernels.cpu.emit import (
    BYTES,
    I32,
    I64,
    LANES,
    REALS,
    WORDS,
    are_contiguous,
    broadcast,
    load,
    opened,
    splat,
    store,
)

_MASK = ir.VectorType(ir.IntType(1), LANES)
_BITS = ir.IntType(LANES)
_LINES = ir.VectorType(_BITS, LANES)


def _compress(builder, numbers, mask):
    """The numbers that a mask picks, moved to the front."""
    vector = numbers.type
    kind = ir.FunctionType(vector, [vector, _MASK, vector])
    name = f"llvm.experimental.vector.compress.v{LANES}{'i' if vector == WORDS else 'f'}32"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [numbers, mask, ir.Constant(vector, ir.Undefined)])


def _unit_numbers(builder, first):
    """The vector of first, first + 1, ..., from an intp."""
    return builder.add(
        broadcast(builder, builder.trunc(first, I32)), ir.Constant(WORDS, list(range(LANES)))
    )


def _count(builder, mask):
    """How many a mask picks."""
    kind = ir.FunctionType(_BITS, [_BITS])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.ctpop.i{LANES}")
    return builder.zext(builder.call(function, [builder.bitcast(mask, _BITS)]), I64)


@intrinsic
def _whole_vectors(typingctx, new, old, up, down):
    """(units looked at, went on, went off, are on), intp each; what is left is less than a vector.

    Without old and down (None both) nothing was on before.
    """
    fresh = old == down == types.none
    states, lists = ((new,), (up,)) if fresh else ((new, old), (up, down))
    if not (are_contiguous(types.uint8, *states, ndim=1) and are_contiguous(types.int32, *lists, ndim=1)):
        return None
    signature = types.UniTuple(types.intp, 4)(new, old, up, down)

    def codegen(context, builder, signature, args):
        new, old, up, down = opened(context, builder, signature, args)

        def on(states, at):
            values = load(builder, builder.gep(states.data, [at]), BYTES, align=1)
            return builder.icmp_unsigned("!=", values, ir.Constant(BYTES, None))

        def append(index, counter, mask, numbers):
            before = builder.load(counter)
            store(builder, _compress(builder, numbers, mask), builder.gep(index.data, [before]))
            builder.store(builder.add(before, _count(builder, mask)), counter)

        zero, step = ir.Constant(I64, 0), ir.Constant(I64, LANES)
        rising, falling, are_on = (cgutils.alloca_once_value(builder, zero) for _ in range(3))
        whole = builder.and_(builder.extract_value(new.shape, 0), ir.Constant(I64, -LANES))
        with cgutils.for_range_slice(builder, zero, whole, step) as (at, _):
            numbers = _unit_numbers(builder, at)
            now = on(new, at)
            if fresh:
                append(up, rising, now, numbers)
            else:
                was = on(old, at)
                append(up, rising, builder.and_(now, builder.not_(was)), numbers)
                append(down, falling, builder.and_(was, builder.not_(now)), numbers)
                builder.store(builder.add(builder.load(are_on), _count(builder, now)), are_on)
        found = [whole, *(builder.load(counter) for counter in (rising, falling, are_on))]
        return context.make_tuple(builder, signature.return_type, found)

    return signature, codegen


@intrinsic
def _whole_real_vectors(typingctx, state, index, weight):
    """(units looked at, how many of them are not 0), intp each; what is left is less than a vector."""
    if not are_contiguous(types.float32, state, weight, ndim=1):
        return None
    if not are_contiguous(types.int32, index, ndim=1):
        return None
    signature = types.UniTuple(types.intp, 2)(state, index, weight)

    def codegen(context, builder, signature, args):
        state, index, weight = opened(context, builder, signature, args)
        zero, step = ir.Constant(I64, 0), ir.Constant(I64, LANES)
        count = cgutils.alloca_once_value(builder, zero)
        whole = builder.and_(builder.extract_value(state.shape, 0), ir.Constant(I64, -LANES))
        with cgutils.for_range_slice(builder, zero, whole, step) as (at, _):
            values = load(builder, builder.gep(state.data, [at]))
            mask = builder.fcmp_unordered("!=", values, ir.Constant(REALS, None))
            before = builder.load(count)
            for array, numbers in ((index, _unit_numbers(builder, at)), (weight, values)):
                store(builder, _compress(builder, numbers, mask), builder.gep(array.data, [before]))
            builder.store(builder.add(before, _count(builder, mask)), count)
        return context.make_tuple(builder, signature.return_type, [whole, builder.load(count)])

    return signature, codegen


@intrinsic
def list_rows(typingctx, states, row, first, index):
    """Append to the lists of 16 units, from `first` on, in which of 16 rows, from `row` on, they are on.

    states: uint8 [B, units]; index: int32 [16, at least 1 + B], a unit's number of rows before `row`, and
    these. Sixteen words of 16 bits, a row each, stand in one vector: a bit of all of them is a unit's
    mask of rows, and nothing is guessed.
    """
    if not are_contiguous(types.uint8, states, ndim=2):
        return None
    if not are_contiguous(types.int32, index, ndim=2):
        return None
    signature = types.void(states, types.intp, types.intp, index)

    def codegen(context, builder, signature, args):
        states, row, first, index = opened(context, builder, signature, args)
        units, columns = (builder.extract_value(array.shape, 1) for array in (states, index))
        words = ir.Constant(_LINES, ir.Undefined)
        for n in range(LANES):
            line = builder.mul(builder.add(row, ir.Constant(I64, n)), units)
            pointer = builder.gep(states.data, [builder.add(line, first)])
            values = load(builder, pointer, BYTES, align=1)
            on = builder.icmp_unsigned("!=", values, ir.Constant(BYTES, None))
            words = builder.insert_element(words, builder.bitcast(on, _BITS), ir.Constant(I32, n))
        numbers = _unit_numbers(builder, row)
        for u in range(LANES):
            bit = builder.and_(words, splat(_LINES, 1 << u))
            mask = builder.icmp_unsigned("!=", bit, ir.Constant(_LINES, None))
            counter = builder.gep(index.data, [builder.mul(ir.Constant(I64, u), columns)])
            before = builder.load(counter)
            place = builder.add(builder.sext(before, I64), ir.Constant(I64, 1))
            store(builder, _compress(builder, numbers, mask), builder.gep(counter, [place]))
            found = builder.trunc(_count(builder, mask), I32)
            builder.store(builder.add(before, found), counter)
        return context.get_dummy_value()

    return signature, codegen


@inner(forceinline=True)
def list_weighted(state, index, weight):
    """How many units of a state, float32 [units], are not 0; their numbers and values, ascending.

    index: int32, weight: float32 [at least units].
    """
    first, count = _whole_real_vectors(state, index, weight)
    for i in range(first, state.size):
        index[count], weight[count] = i, state[i]
        count += np.intp(state[i] != np.float32(0.0))
    return count


@inner(forceinline=True)
def list_on(state, index):
    """How many units of a state, uint8 [units], are on; their numbers, ascending, in index.

    index: int32 [at least units].
    """
    first, count, _, _ = _whole_vectors(state, None, index, None)
    for i in range(first, state.size):
        index[count] = i
        count += np.intp(state[i] != 0)
    return count


@inner(forceinline=True)
def list_changes(new, old, up, down):
    """(how many went on, how many went off, how many are on); their numbers, ascending, in up and down.

    new, old: uint8 [units] of 0 and 1; up, down: int32 [at least units].
    """
    first, rising, falling, on = _whole_vectors(new, old, up, down)
    for i in range(first, new.size):
        now, was = new[i] != 0, old[i] != 0
        up[rising] = i
        rising += np.intp(now and not was)
        down[falling] = i
        falling += np.intp(was and not now)
        on += np.intp(now)
    return rising, falling, on
