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

from ebmbench.compile import jit
from ebmbench.kernels.cpu.simd import LANES, broadcast

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_NUMBERS = ir.VectorType(_I32, LANES)
_BYTES = ir.VectorType(ir.IntType(8), LANES)
_REALS = ir.VectorType(ir.FloatType(), LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)
_BITS = ir.IntType(LANES)
_WORDS = ir.VectorType(_BITS, LANES)


def _is_vector(array, dtype):
    """Whether the pointer to an argument steps over neighbours in memory."""
    return isinstance(array, types.Array) and (array.dtype, array.ndim, array.layout) == (dtype, 1, "C")


def _compress(builder, numbers, mask):
    """The numbers that a mask picks, moved to the front."""
    vector = numbers.type
    kind = ir.FunctionType(vector, [vector, _MASK, vector])
    name = f"llvm.experimental.vector.compress.v{LANES}{'i' if vector == _NUMBERS else 'f'}32"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [numbers, mask, ir.Constant(vector, ir.Undefined)])


def _unit_numbers(builder, first):
    """The vector of first, first + 1, ..., from an intp."""
    return builder.add(
        broadcast(builder, builder.trunc(first, _I32)), ir.Constant(_NUMBERS, list(range(LANES)))
    )


def _count(builder, mask):
    """How many a mask picks."""
    kind = ir.FunctionType(_BITS, [_BITS])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.ctpop.i{LANES}")
    return builder.zext(builder.call(function, [builder.bitcast(mask, _BITS)]), _I64)


@intrinsic
def _whole_vectors(typingctx, new, old, up, down):
    """(units looked at, went on, went off, are on), intp each; what is left is less than a vector.

    Without old and down (None both) nothing was on before.
    """
    fresh = old == down == types.none
    if not (_is_vector(new, types.uint8) and _is_vector(up, types.int32)):
        return None
    if not (fresh or (_is_vector(old, types.uint8) and _is_vector(down, types.int32))):
        return None
    signature = types.UniTuple(types.intp, 4)(new, old, up, down)

    def codegen(context, builder, signature, args):
        def opened(place):
            return context.make_array(signature.args[place])(context, builder, value=args[place])

        def on(states, at):
            pointer = builder.bitcast(builder.gep(states.data, [at]), _BYTES.as_pointer())
            return builder.icmp_unsigned("!=", builder.load(pointer, align=1), ir.Constant(_BYTES, None))

        def append(index, counter, mask, numbers):
            before = builder.load(counter)
            end = builder.bitcast(builder.gep(index.data, [before]), _NUMBERS.as_pointer())
            builder.store(_compress(builder, numbers, mask), end, align=4)
            builder.store(builder.add(before, _count(builder, mask)), counter)

        new, up = opened(0), opened(2)
        zero, step = ir.Constant(_I64, 0), ir.Constant(_I64, LANES)
        rising, falling, are_on = (cgutils.alloca_once_value(builder, zero) for _ in range(3))
        whole = builder.and_(builder.extract_value(new.shape, 0), ir.Constant(_I64, -LANES))
        with cgutils.for_range_slice(builder, zero, whole, step) as (at, _):
            numbers = _unit_numbers(builder, at)
            now = on(new, at)
            if fresh:
                append(up, rising, now, numbers)
            else:
                was = on(opened(1), at)
                append(up, rising, builder.and_(now, builder.not_(was)), numbers)
                append(opened(3), falling, builder.and_(was, builder.not_(now)), numbers)
                builder.store(builder.add(builder.load(are_on), _count(builder, now)), are_on)
        found = [whole, *(builder.load(counter) for counter in (rising, falling, are_on))]
        return context.make_tuple(builder, signature.return_type, found)

    return signature, codegen


@intrinsic
def _whole_real_vectors(typingctx, state, index, weight):
    """(units looked at, how many of them are not 0), intp each; what is left is less than a vector."""
    if not (_is_vector(state, types.float32) and _is_vector(weight, types.float32)):
        return None
    if not _is_vector(index, types.int32):
        return None
    signature = types.UniTuple(types.intp, 2)(state, index, weight)

    def codegen(context, builder, signature, args):
        state, index, weight = (
            context.make_array(t)(context, builder, value=value)
            for t, value in zip(signature.args, args, strict=True)
        )
        zero, step = ir.Constant(_I64, 0), ir.Constant(_I64, LANES)
        count = cgutils.alloca_once_value(builder, zero)
        whole = builder.and_(builder.extract_value(state.shape, 0), ir.Constant(_I64, -LANES))
        with cgutils.for_range_slice(builder, zero, whole, step) as (at, _):
            pointer = builder.bitcast(builder.gep(state.data, [at]), _REALS.as_pointer())
            values = builder.load(pointer, align=4)
            mask = builder.fcmp_unordered("!=", values, ir.Constant(_REALS, None))
            before = builder.load(count)
            for array, numbers in ((index, _unit_numbers(builder, at)), (weight, values)):
                end = builder.bitcast(builder.gep(array.data, [before]), numbers.type.as_pointer())
                builder.store(_compress(builder, numbers, mask), end, align=4)
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
    fits = isinstance(states, types.Array) and isinstance(index, types.Array)
    if not fits or (states.dtype, states.ndim, states.layout) != (types.uint8, 2, "C"):
        return None  # the pointers below step over neighbours in memory
    if (index.dtype, index.ndim, index.layout) != (types.int32, 2, "C"):
        return None
    signature = types.void(states, types.intp, types.intp, index)

    def codegen(context, builder, signature, args):
        states, index = (
            context.make_array(signature.args[n])(context, builder, value=args[n]) for n in (0, 3)
        )
        units, columns = (builder.extract_value(array.shape, 1) for array in (states, index))
        words = ir.Constant(_WORDS, ir.Undefined)
        for n in range(LANES):
            line = builder.mul(builder.add(args[1], ir.Constant(_I64, n)), units)
            pointer = builder.gep(states.data, [builder.add(line, args[2])])
            values = builder.load(builder.bitcast(pointer, _BYTES.as_pointer()), align=1)
            on = builder.icmp_unsigned("!=", values, ir.Constant(_BYTES, None))
            words = builder.insert_element(words, builder.bitcast(on, _BITS), ir.Constant(_I32, n))
        numbers = _unit_numbers(builder, args[1])
        for u in range(LANES):
            bit = builder.and_(words, ir.Constant(_WORDS, [1 << u] * LANES))
            mask = builder.icmp_unsigned("!=", bit, ir.Constant(_WORDS, None))
            counter = builder.gep(index.data, [builder.mul(ir.Constant(_I64, u), columns)])
            before = builder.load(counter)
            place = builder.add(builder.sext(before, _I64), ir.Constant(_I64, 1))
            end = builder.bitcast(builder.gep(counter, [place]), _NUMBERS.as_pointer())
            builder.store(_compress(builder, numbers, mask), end, align=4)
            found = builder.trunc(_count(builder, mask), _I32)
            builder.store(builder.add(before, found), counter)
        return context.get_dummy_value()

    return signature, codegen


@jit(forceinline=True)
def list_weighted(state, index, weight):
    """How many units of a state, float32 [units], are not 0; their numbers and values, ascending.

    index: int32, weight: float32 [at least units].
    """
    first, count = _whole_real_vectors(state, index, weight)
    for i in range(first, state.size):
        index[count], weight[count] = i, state[i]
        count += np.intp(state[i] != np.float32(0.0))
    return count


@jit(forceinline=True)
def list_on(state, index):
    """How many units of a state, uint8 [units], are on; their numbers, ascending, in index.

    index: int32 [at least units].
    """
    first, count, _, _ = _whole_vectors(state, None, index, None)
    for i in range(first, state.size):
        index[count] = i
        count += np.intp(state[i] != 0)
    return count


@jit(forceinline=True)
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
