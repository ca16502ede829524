"""Which units of a layer are on or not 0, went on or off: lists of their numbers, 16 units at a time.

A vector of unit numbers is compressed to those that a mask picks, in one instruction where the processor
has it (AVX-512) and else by a look-up of half of it, and stored whole behind what is in the list
already: never past the list's end, as there are no more entries in it than units were looked at.
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
    store,
)
from ebmbench.kernels.cpu.processor import AVX512

_MASK = ir.VectorType(ir.IntType(1), LANES)
_BITS = ir.IntType(LANES)
_COMPRESSES = AVX512
_HALF = 8  # lanes that a byte has bits for
_FEW_BYTES, _FEW_WORDS = ir.VectorType(ir.IntType(8), _HALF), ir.VectorType(I32, _HALF)


def _compress(builder, numbers, mask):
    """The numbers that a mask picks, moved to the front."""
    vector = numbers.type
    kind = ir.FunctionType(vector, [vector, _MASK, vector])
    name = f"llvm.experimental.vector.compress.v{LANES}{'i' if vector == WORDS else 'f'}32"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [numbers, mask, ir.Constant(vector, ir.Undefined)])


def _bits_set(builder, bits):
    """How many bits of a word are set, as an intp."""
    return builder.zext(builder.ctpop(bits), I64)


def _lanes_table(module):
    """For each byte the numbers of the bits that are set in it, ascending."""
    name = "ebmbench_lanes_of_bytes"
    if name in module.globals:
        return module.globals[name]
    rows = [[n for n in range(_HALF) if byte >> n & 1] for byte in range(2**_HALF)]
    value = ir.Constant(
        ir.ArrayType(_FEW_BYTES, len(rows)),
        [ir.Constant(_FEW_BYTES, (row + [0] * _HALF)[:_HALF]) for row in rows],
    )
    table = ir.GlobalVariable(module, value.type, name)
    table.linkage, table.global_constant, table.initializer = "internal", True, value
    return table


def _append(builder, pointer, first, mask):
    """Write first + n for each lane n that a mask picks; how many. What lies behind them may change.

    first: intp. Where the processor cannot compress a vector, a table of bytes has what becomes of half
    of one: writing lane after lane would take ten times as long.
    """
    first = builder.trunc(first, I32)
    bits = builder.bitcast(mask, _BITS)
    if _COMPRESSES:
        numbers = builder.add(broadcast(builder, first), ir.Constant(WORDS, list(range(LANES))))
        store(builder, _compress(builder, numbers, mask), pointer)
        return _bits_set(builder, bits)
    table, count = _lanes_table(builder.module), ir.Constant(I64, 0)
    for half in range(LANES // _HALF):
        byte = builder.trunc(builder.lshr(bits, ir.Constant(_BITS, half * _HALF)), ir.IntType(8))
        place = builder.gep(table, [ir.Constant(I64, 0), builder.zext(byte, I64)])
        lanes = builder.zext(builder.load(place), _FEW_WORDS)
        base = builder.add(first, ir.Constant(I32, half * _HALF))
        store(builder, builder.add(lanes, broadcast(builder, base, _HALF)), builder.gep(pointer, [count]))
        count = builder.add(count, _bits_set(builder, byte))
    return count


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

        def append(index, counter, mask, first):
            before = builder.load(counter)
            found = _append(builder, builder.gep(index.data, [before]), first, mask)
            builder.store(builder.add(before, found), counter)

        zero, step = ir.Constant(I64, 0), ir.Constant(I64, LANES)
        rising, falling, are_on = (cgutils.alloca_once_value(builder, zero) for _ in range(3))
        whole = builder.and_(builder.extract_value(new.shape, 0), ir.Constant(I64, -LANES))
        with cgutils.for_range_slice(builder, zero, whole, step) as (at, _):
            now = on(new, at)
            if fresh:
                append(up, rising, now, at)
            else:
                was = on(old, at)
                append(up, rising, builder.and_(now, builder.not_(was)), at)
                append(down, falling, builder.and_(was, builder.not_(now)), at)
                found = _bits_set(builder, builder.bitcast(now, _BITS))
                builder.store(builder.add(builder.load(are_on), found), are_on)
        found = [whole, *(builder.load(counter) for counter in (rising, falling, are_on))]
        return context.make_tuple(builder, signature.return_type, found)

    return signature, codegen


@intrinsic
def _whole_real_vectors(typingctx, state, index, weight):
    """(units looked at, how many of them are not 0), intp each; what is left is less than a vector.

    Their values are listed only where the processor compresses vectors.
    """
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
            if _COMPRESSES:
                store(builder, _compress(builder, values, mask), builder.gep(weight.data, [before]))
            found = _append(builder, builder.gep(index.data, [before]), at, mask)
            builder.store(builder.add(before, found), count)
        return context.make_tuple(builder, signature.return_type, [whole, builder.load(count)])

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
    if not _COMPRESSES:
        for n in range(count):
            weight[n] = state[index[n]]
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
