"""What a unit hears of all others: in sixteen rows at once, which stand side by side, or in one row.

Both add the same numbers in the same order, sixteen sums of every sixteenth term each and then these in
pairs, so that a row hears the same alone and among others: a vector holds one sum of sixteen rows, or
all sixteen sums of one. So many sums also hide that a term waits for the one before of its sum.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ebmbench.kernels.cpu.emit import I32, I64, LANES, are_contiguous, broadcast, load, opened, store
from ebmbench.kernels.cpu.fused import multiply_add


def _in_pairs(add, sums):
    """The sum of all, each half added to the other until one is left."""
    while len(sums) > 1:
        half = len(sums) // 2
        sums = [add(one, other) for one, other in zip(sums[:half], sums[half:], strict=True)]
    return sums[0]


@intrinsic
def hear(typingctx, start, weight, state, count, out):
    """Out = start + sum over the first `count` units of their weight times their state, in each lane.

    start, out: float32 [LANES]; weight: float32 [count] or longer; state: float32 [units, LANES].
    """
    if not are_contiguous(types.float32, start, weight, out, ndim=1):
        return None
    if not are_contiguous(types.float32, state, ndim=2):
        return None

    def codegen(context, builder, signature, args):
        start, weight, state, count, out = opened(context, builder, signature, args)

        def add(total, k):
            factor = broadcast(builder, builder.load(builder.gep(weight.data, [k])))
            place = builder.mul(k, ir.Constant(I64, LANES))
            found = load(builder, builder.gep(state.data, [place]))
            builder.store(multiply_add(builder, factor, found, builder.load(total)), total)

        first = load(builder, start.data)
        nothing = [ir.Constant(first.type, None)] * (LANES - 1)
        totals = [cgutils.alloca_once_value(builder, x) for x in (first, *nothing)]
        whole = builder.and_(count, ir.Constant(I64, -LANES))
        step = ir.Constant(I64, LANES)
        with cgutils.for_range_slice(builder, ir.Constant(I64, 0), whole, step) as (at, _):
            for n, total in enumerate(totals):
                add(total, builder.add(at, ir.Constant(I64, n)))
        with cgutils.for_range_slice(builder, whole, count, ir.Constant(I64, 1)) as (at, _):
            add(totals[0], at)
        store(builder, _in_pairs(builder.fadd, [builder.load(total) for total in totals]), out.data)
        return context.get_dummy_value()

    return types.void(start, weight, state, types.intp, out), codegen


@intrinsic
def hear_alone(typingctx, start, weight, state, count):
    """`hear` of one row; start: float32; weight, state: float32 [count]; count: of whole vectors."""
    if start != types.float32 or not are_contiguous(types.float32, weight, state, ndim=1):
        return None

    def codegen(context, builder, signature, args):
        start, weight, state, count = opened(context, builder, signature, args)
        kind = ir.VectorType(start.type, LANES)
        first = builder.insert_element(ir.Constant(kind, None), start, ir.Constant(I32, 0))
        totals = cgutils.alloca_once_value(builder, first)
        step = ir.Constant(I64, LANES)
        with cgutils.for_range_slice(builder, ir.Constant(I64, 0), count, step) as (at, _):
            factor, found = (load(builder, builder.gep(one.data, [at])) for one in (weight, state))
            builder.store(multiply_add(builder, factor, found, builder.load(totals)), totals)
        sums, width = builder.load(totals), LANES
        while width > 1:
            width //= 2
            halves = (
                builder.shuffle_vector(
                    sums, sums, ir.Constant(ir.VectorType(I32, width), list(range(low, low + width)))
                )
                for low in (0, width)
            )
            sums = builder.fadd(*halves)
        return builder.extract_element(sums, ir.Constant(I32, 0))

    return types.float32(start, weight, state, types.intp), codegen
