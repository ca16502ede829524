"""Products of dense matrices in single precision: start + a @ b, a tile of which stays in registers.

While a tile is summed up, a's entries are broadcast one by one and b's rows are read once: 12 loads for
27 multiply-adds where a vector has a register of its own (AVX-512). Nothing is packed: a is addressed by
two strides, so that it may stand transposed, and of b each term takes three vectors in 14 cycles, which a
core's second cache gives without being asked ahead. One thread of a Granite Rapids does 170 to 200
GFLOP/s so; two multiply-adds of 16 numbers a cycle are 166 at its nominal 2.6 GHz.

Each entry of the result is one sum in ascending order, of fused multiply-adds where the processor has
them: its bits depend neither on the tiles nor on how a batch is split nor on threads. A term of a state
that is 0 or 1 is exact, so for binary states they are those of `rows.add_rows`.
"""

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

from ebmbench.compile import jit
from ebmbench.kernels.cpu.simd import LANES

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INDEX = ir.IntType(64)
_FIRST_LANE = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)


def _features() -> set[str]:
    """What Numba compiles for, as LLVM calls it."""
    given = vars(numba.config)["CPU_FEATURES"]
    names = get_host_cpu_features() if given is None else given
    return {name[1:] for name in names.split(",") if name.startswith("+")}


_ARM = llvm.get_default_triple().startswith(("aarch64", "arm64"))
_FUSED = _ARM or bool({"fma", "avx512f"} & _features())
# The largest tile, in rows and vectors, whose sums fit the registers beside a row of b and an entry of a.
if "avx512f" in _features():
    _ROWS, _VECTORS = 9, 3
elif "avx2" in _features() or _ARM:  # registers of half or a quarter of a vector
    _ROWS, _VECTORS = 6, 1
else:
    _ROWS, _VECTORS = 2, 1
_HEIGHTS = tuple(sorted({_ROWS, _ROWS - 1, 4, 2, 1} & set(range(1, _ROWS + 1))))
WIDE, TALLEST = _VECTORS * LANES, _ROWS  # the largest tile: multiples of these are best


def multiply_add(builder, x, y, total):
    """total + x y, of vectors or single numbers, rounded once where the processor can."""
    if not _FUSED:
        return builder.fadd(total, builder.fmul(x, y))
    kind = total.type
    suffix = f"v{kind.count}f32" if isinstance(kind, ir.VectorType) else "f32"
    function = ir.FunctionType(kind, [kind, kind, kind])
    fma = cgutils.get_or_insert_function(builder.module, function, f"llvm.fma.{suffix}")
    return builder.call(fma, [x, y, total])


@intrinsic
def fma(typingctx, x, y, total):
    """total + x y of three float32, as the products of this module do it."""
    if {x, y, total} != {types.float32}:
        return None
    return types.float32(x, y, total), lambda context, builder, _, args: multiply_add(builder, *args)


def _emit_tile(builder, height, vectors, a, row, term, terms, b, b_row, start, start_row, out, out_row):
    """One tile; a, b, start and out: pointers to its first entries; the rest: strides in entries."""

    def line(pointer, stride, number):
        return builder.gep(pointer, [builder.mul(stride, ir.Constant(_INDEX, number))])

    def at(pointer, k):
        there = builder.gep(pointer, [ir.Constant(_INDEX, k * LANES)])
        return builder.bitcast(there, _VECTOR.as_pointer())

    sums = [
        [
            cgutils.alloca_once_value(builder, builder.load(at(line(start, start_row, m), k), align=4))
            for k in range(vectors)
        ]
        for m in range(height)
    ]
    here, there = (cgutils.alloca_once_value(builder, pointer) for pointer in (a, b))
    with cgutils.for_range(builder, terms):
        entries, weights = builder.load(here), builder.load(there)
        vector = [builder.load(at(weights, k), align=4) for k in range(vectors)]
        for m, totals in enumerate(sums):
            entry = builder.load(line(entries, row, m))
            undefined = ir.Constant(_VECTOR, ir.Undefined)
            entry = builder.insert_element(undefined, entry, ir.Constant(ir.IntType(32), 0))
            entry = builder.shuffle_vector(entry, undefined, _FIRST_LANE)
            for total, weight in zip(totals, vector, strict=True):
                builder.store(multiply_add(builder, entry, weight, builder.load(total)), total)
        builder.store(builder.gep(entries, [term]), here)
        builder.store(builder.gep(weights, [b_row]), there)
    for m, totals in enumerate(sums):
        for k, total in enumerate(totals):
            builder.store(builder.load(total), at(line(out, out_row, m), k), align=4)


@intrinsic
def _tile(
    typingctx,
    height,
    vectors,
    a,
    a_at,
    row,
    term,
    terms,
    b,
    b_at,
    start,
    start_at,
    start_row,
    out,
    out_at,
):
    """A tile of one of `_HEIGHTS` and of 1 or `_VECTORS` vectors; the rest as in `block`."""
    if any((x.dtype, x.layout) != (types.float32, "C") for x in (a, b, start, out)):
        return None  # the pointers below step over neighbours in memory
    n = types.intp
    signature = types.void(n, n, a, n, n, n, n, b, n, start, n, n, out, n)

    def codegen(context, builder, signature, args):
        height, vectors, a, a_at, row, term, terms, b, b_at, start, start_at, start_row, out, out_at = (
            context.make_array(t)(context, builder, value=v) if isinstance(t, types.Array) else v
            for t, v in zip(signature.args, args, strict=True)
        )

        def width(array, place):
            return builder.extract_value(array.shape, signature.args[place].ndim - 1)

        known = (builder.gep(a.data, [a_at]), row, term, terms, builder.gep(b.data, [b_at]), width(b, 7))
        known += (
            builder.gep(start.data, [start_at]),
            start_row,
            builder.gep(out.data, [out_at]),
            width(out, 12),
        )
        number = builder.add(builder.mul(height, ir.Constant(_INDEX, _VECTORS + 1)), vectors)
        end = builder.append_basic_block("end")
        kinds = [(h, v) for h in _HEIGHTS for v in sorted({1, _VECTORS})]
        choice = builder.switch(number, end)
        for h, v in kinds:
            case = builder.append_basic_block(f"tile.{h}.{v}")
            choice.add_case(ir.Constant(_INDEX, h * (_VECTORS + 1) + v), case)
            builder.position_at_end(case)
            _emit_tile(builder, h, v, *known)
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, codegen


@jit(forceinline=True)
def _next_height(left, tall):
    """Of the rows that are left, those of the next tile; tall: how many of the largest are to come."""
    if tall > 0:
        return _ROWS
    if tall == 0 and left >= _ROWS - 1:
        return _ROWS - 1
    height = 1
    for most in _HEIGHTS:
        height = most if most <= left else height
    return height


@jit
def block(a, a_at, row, term, terms, b, b_at, start, start_at, start_row, out, out_at, rows, columns):
    """out[m, n] = start[m, n] + the sum over k < terms of a[m, k] b[k, n], m < rows, n < columns.

    All four are float32 whose entries lie one after the other, of any number of dimensions; *_at: the
    number of their first entry that counts. Entry (m, k) of a stands row m + term k behind it, (k, n) of
    b in the k-th of b's rows from there, and likewise out; start's rows are start_row apart, 0 for a
    bias. columns: a multiple of LANES. out may be start, but nothing else.
    """
    full = (rows + _ROWS - 1) // _ROWS
    first = 0
    while first < columns:
        vectors = _VECTORS if first + WIDE <= columns else 1
        top, tall = 0, rows - (_ROWS - 1) * full  # as many of the largest tiles, all others a row less
        while top < rows:
            height = _next_height(rows - top, tall)
            _tile(
                height, vectors, a, a_at + top * row, row, term, terms, b, b_at + first,
                start, start_at + top * start_row + first, start_row,
                out, out_at + top * out.shape[out.ndim - 1] + first,
            )  # fmt: skip
            top += height
            tall -= tall > 0
        first += vectors * LANES
