"""Blocks of a matrix written transposed, 16 rows and columns at a time, in registers."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ebmbench.compile import jit
from ebmbench.kernels.cpu.emit import BYTES, LANES, REALS, WORDS, are_contiguous, load, opened, store


@intrinsic
def _transpose_square(typingctx, source, i, j, target):
    """target[j:j+16, i:i+16] = source[i:i+16, j:j+16]ᵀ."""
    kinds = {types.float32: (REALS, 4), types.uint8: (BYTES, 1)}
    dtype = source.dtype
    if dtype not in kinds or not are_contiguous(dtype, source, target, ndim=2):
        return None
    kind, size = kinds[dtype]

    def codegen(context, builder, signature, args):
        def pointers(array, row, column):
            columns = builder.extract_value(array.shape, 1)
            at = builder.gep(array.data, [builder.add(builder.mul(row, columns), column)])
            for _ in range(LANES):
                yield at
                at = builder.gep(at, [columns])

        source, i, j, target = opened(context, builder, signature, args)
        rows = [load(builder, at, kind, size) for at in pointers(source, i, j)]
        # Exchange what lies across the diagonal: first two blocks of 8 x 8, then of 4 x 4 in each, ...
        distance = LANES // 2
        while distance:
            moved = list(rows)
            for n in range(LANES):
                if n & distance:
                    continue
                pair = rows[n], rows[n | distance]
                upper = [c if not c & distance else LANES + (c ^ distance) for c in range(LANES)]
                lower = [c | distance if not c & distance else LANES + c for c in range(LANES)]
                moved[n], moved[n | distance] = (
                    builder.shuffle_vector(*pair, ir.Constant(WORDS, lanes)) for lanes in (upper, lower)
                )
            rows, distance = moved, distance // 2
        for row, at in zip(rows, pointers(target, j, i), strict=True):
            store(builder, row, at, size)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, target), codegen


@jit
def transpose(source, first, last, columns, target):
    """target[j, i] = source[i, j] for the rows i in [first, last) and the first columns j."""
    for top in range(first, last, LANES):
        bottom = min(last, top + LANES)
        whole = columns - columns % LANES if bottom - top == LANES else 0
        for j in range(0, whole, LANES):
            _transpose_square(source, top, j, target)
        for j in range(whole, columns):
            for i in range(top, bottom):
                target[j, i] = source[i, j]
