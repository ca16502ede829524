"""Products of dense matrices in single precision: start + a @ b, a tile of which stays in registers.

While a tile is summed up, a's entries are broadcast one by one and b's rows are read once: 12 loads for
27 multiply-adds where a vector has a register of its own (AVX-512). Nothing is packed: a is addressed by
two strides, so that it may stand transposed, and b's rows are asked for before they are needed, of which
each term takes three vectors in 14 cycles. One thread of a Granite Rapids does 170 to 200 GFLOP/s so;
two multiply-adds of 16 numbers a cycle are 166 at its nominal 2.6 GHz. It is slower where b's rows are a
power of two apart, which the cache then puts into few places (`device.apart`).

Each entry of the result is one sum in ascending order, of fused multiply-adds where the processor has
them: its bits depend neither on the tiles nor on how a batch is split nor on threads. A term of a state
that is 0 or 1 is exact, so for binary states they are those of `rows.add_rows`.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ebmbench.compile import inner
from ebmbench.kernels.cpu.emit import I64, LANES, are_contiguous, broadcast, load, opened, store
from ebmbench.kernels.cpu.fused import multiply_add
from ebmbench.kernels.cpu.processor import AVX512, FEATURES, ON_ARM
from ebmbench.kernels.cpu.simd import address

# The largest tile, in rows and vectors, whose sums fit the registers beside a row of b and an entry of a.
if AVX512:
    _ROWS, _VECTORS = 9, 3
elif "avx2" in FEATURES or ON_ARM:  # registers of half or a quarter of a vector
    _ROWS, _VECTORS = 6, 1
else:
    _ROWS, _VECTORS = 2, 1
_HEIGHTS = tuple(sorted({_ROWS, _ROWS - 1, 4, 2, 1} & set(range(1, _ROWS + 1))))
_TERMS = 400  # at once: the rows of b that many rows of a meet before the next ones do
_AHEAD = 12  # rows of b, at 14 cycles each: what a row takes from the last cache of all
WIDE = _VECTORS * LANES  # columns of the largest tile: multiples of these are best


def _prefetch(builder, pointer):
    """Ask for what will be read there, wherever that is."""
    address, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    function = ir.FunctionType(ir.VoidType(), [address, flag, flag, flag])
    prefetch = cgutils.get_or_insert_function(builder.module, function, "llvm.prefetch.p0")
    reading, near, data = (ir.Constant(flag, n) for n in (0, 3, 1))
    builder.call(prefetch, [builder.bitcast(pointer, address), reading, near, data])


def _emit_tile(builder, height, vectors, a, row, term, terms, b, b_row, start, start_row, out, out_row):
    """One tile; a, b, start and out: pointers to its first entries; the rest: strides in entries."""

    def line(pointer, stride, number):
        return builder.gep(pointer, [builder.mul(stride, ir.Constant(I64, number))])

    def at(pointer, k):
        return builder.gep(pointer, [ir.Constant(I64, k * LANES)])

    sums = [
        [
            cgutils.alloca_once_value(builder, load(builder, at(line(start, start_row, m), k)))
            for k in range(vectors)
        ]
        for m in range(height)
    ]
    here, there = (cgutils.alloca_once_value(builder, pointer) for pointer in (a, b))
    with cgutils.for_range(builder, terms):
        entries, weights = builder.load(here), builder.load(there)
        vector = [load(builder, at(weights, k)) for k in range(vectors)]
        if vectors > 1 or _VECTORS == 1:  # one alone has no register left for that
            soon = line(weights, b_row, _AHEAD)
            for k in range(vectors):
                _prefetch(builder, at(soon, k))
        for m, totals in enumerate(sums):
            entry = broadcast(builder, builder.load(line(entries, row, m)))
            for total, weight in zip(totals, vector, strict=True):
                builder.store(multiply_add(builder, entry, weight, builder.load(total)), total)
        builder.store(builder.gep(entries, [term]), here)
        builder.store(builder.gep(weights, [b_row]), there)
    for m, totals in enumerate(sums):
        for k, total in enumerate(totals):
            store(builder, builder.load(total), at(line(out, out_row, m), k))


@intrinsic
def _tile(typingctx, height, vectors, a, a_at, row, term, terms, b, b_at, start, start_row, out, out_at):
    """A tile of one of `_HEIGHTS`, at most `_VECTORS` wide; start: an address; the rest as in `block`."""
    if not are_contiguous(types.float32, a, b, out):
        return None
    n = types.intp
    signature = types.void(n, n, a, n, n, n, n, b, n, n, n, out, n)

    def codegen(context, builder, signature, args):
        height, vectors, a, a_at, row, term, terms, b, b_at, start, start_row, out, out_at = opened(
            context, builder, signature, args
        )

        def width(array, place):
            return builder.extract_value(array.shape, signature.args[place].ndim - 1)

        start = builder.inttoptr(start, ir.FloatType().as_pointer())
        known = builder.gep(a.data, [a_at]), row, term, terms, builder.gep(b.data, [b_at]), width(b, 7)
        known += start, start_row, builder.gep(out.data, [out_at]), width(out, 11)
        number = builder.add(builder.mul(height, ir.Constant(I64, _VECTORS + 1)), vectors)
        end = builder.append_basic_block("end")
        choice = builder.switch(number, end)
        for h in _HEIGHTS:
            for v in range(1, _VECTORS + 1):
                case = builder.append_basic_block(f"tile.{h}.{v}")
                choice.add_case(ir.Constant(I64, h * (_VECTORS + 1) + v), case)
                builder.position_at_end(case)
                _emit_tile(builder, h, v, *known)
                builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, codegen


@inner(forceinline=True)
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


@inner(forceinline=True)
def _next_width(left):
    """Of the vectors that are left, those of the next tile: two and two rather than three and one."""
    if left == _VECTORS + 1 and _VECTORS > 1:
        return _VECTORS - 1
    return min(left, _VECTORS)


@inner
def block(a, a_at, row, term, terms, b, b_at, start, start_at, start_row, out, out_at, rows, columns):
    """out[m, n] = start[m, n] + the sum over k < terms of a[m, k] b[k, n], m < rows, n < columns.

    All four are float32 whose entries lie one after the other, of any number of dimensions; *_at: the
    number of their first entry that counts. Entry (m, k) of a stands row m + term k behind it, (k, n) of
    b in the k-th of b's rows from there, and likewise out; start's rows are start_row apart, 0 for a
    bias. columns: a multiple of LANES. out may be start, but nothing else.
    """
    full = (rows + _ROWS - 1) // _ROWS
    pieces = max(1, (terms + _TERMS - 1) // _TERMS)
    width = out.shape[out.ndim - 1]
    first = 0
    while first < columns:
        vectors = _next_width((columns - first) // LANES)
        begin, apart = address(start) + 4 * (start_at + first), start_row
        for piece in range(pieces):
            past, end = piece * terms // pieces, (piece + 1) * terms // pieces
            top, tall = 0, rows - (_ROWS - 1) * full  # as many of the largest, all others a row less
            while top < rows:
                height = _next_height(rows - top, tall)
                _tile(
                    height, vectors, a, a_at + top * row + past * term, row, term, end - past,
                    b, b_at + past * b.shape[b.ndim - 1] + first, begin + 4 * top * apart, apart,
                    out, out_at + top * width + first,
                )  # fmt: skip
                top += height
                tall -= tall > 0
            begin, apart = address(out) + 4 * (out_at + first), width
        first += vectors * LANES
