"""Blocks of a matrix written transposed, 16 rows and columns at a time, in registers."""

from llvmlite import ir
from numba import prange, types
from numba.extending import intrinsic

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.emit import BYTES, LANES, REALS, WORDS, are_contiguous, load, opened, store


@intrinsic
def _transpose_square(typingctx, source, i, j, target, row, column):
    """target[row:row+16, column:column+16] = source[i:i+16, j:j+16]ᵀ."""
    kinds = {types.float32: (REALS, 4), types.uint8: (BYTES, 1)}
    dtype = source.dtype
    if dtype not in kinds or not are_contiguous(dtype, source, target, ndim=2):
        return None
    kind, size = kinds[dtype]
    n = types.intp

    def codegen(context, builder, signature, args):
        def pointers(array, row, column):
            columns = builder.extract_value(array.shape, 1)
            at = builder.gep(array.data, [builder.add(builder.mul(row, columns), column)])
            for _ in range(LANES):
                yield at
                at = builder.gep(at, [columns])

        source, i, j, target, row, column = opened(context, builder, signature, args)
        rows = [load(builder, at, kind, size) for at in pointers(source, i, j)]
        # Exchange what lies across the diagonal: first two blocks of 8 x 8, then of 4 x 4 in each, ...
        distance = LANES // 2
        while distance:
            moved = list(rows)
            for k in range(LANES):
                if k & distance:
                    continue
                pair = rows[k], rows[k | distance]
                upper = [c if not c & distance else LANES + (c ^ distance) for c in range(LANES)]
                lower = [c | distance if not c & distance else LANES + c for c in range(LANES)]
                moved[k], moved[k | distance] = (
                    builder.shuffle_vector(*pair, ir.Constant(WORDS, lanes)) for lanes in (upper, lower)
                )
            rows, distance = moved, distance // 2
        for vector, at in zip(rows, pointers(target, row, column), strict=True):
            store(builder, vector, at, size)
        return context.get_dummy_value()

    return types.void(source, n, n, target, n, n), codegen


@inner
def transpose(source, first, last, columns, target):
    """target[j, i] = source[i, j] for the rows i in [first, last) and the first columns j."""
    for top in range(first, last, LANES):
        bottom = min(last, top + LANES)
        whole = columns - columns % LANES if bottom - top == LANES else 0
        for j in range(0, whole, LANES):
            _transpose_square(source, top, j, target, j, top)
        for j in range(whole, columns):
            for i in range(top, bottom):
                target[j, i] = source[i, j]


@inner
def transpose_units(source, first, last, target, column):
    """target[i - first, column + r] = source[r, i] for the units i in [first, last) of all rows r.

    The last square of a row or a column lies over the one before it; fewer than 16 rows or units are
    copied one by one.
    """
    rows = source.shape[0]
    if rows < LANES or last - first < LANES:
        for r in range(rows):
            for i in range(first, last):
                target[i - first, column + r] = source[r, i]
        return
    for top in range(0, rows, LANES):
        r = min(top, rows - LANES)
        for left in range(first, last, LANES):
            i = min(left, last - LANES)
            _transpose_square(source, r, i, target, i - first, column + r)


_ROWS = 3 * LANES  # of the source at once: rows of the target then take three cache lines each


@jit(parallel=True)
def turn(source, columns, target):
    """`transpose` of all rows."""
    rows = source.shape[0]
    for block in prange((rows + _ROWS - 1) // _ROWS):
        transpose(source, block * _ROWS, min(rows, (block + 1) * _ROWS), columns, target)
