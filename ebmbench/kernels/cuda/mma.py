"""Intrinsics for tensor cores: asynchronous copies, and a warp's share of a step as one piece of code.

The accumulators are a tuple of float32 that goes in and comes out, so that the compiler sees 128 values
and no array, and keeps them in registers. None of this runs in Numba's simulator.
"""

from llvmlite import ir
from numba import types
from numba.cuda.extending import intrinsic

from ebmbench.kernels.cuda import tiles

_I16, _I32, _I64, _F32 = ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
_SUMS = types.UniTuple(types.float32, tiles.ACCUMULATORS)
_ONE = 0x3F80  # 1 as a bfloat16


def _assembly(builder, result, text, constraints, arguments, effect=False):
    """One instruction; effect: it reads or writes memory, and stays where it is."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    if effect:
        constraints += ",~{memory}"
    return builder.call(ir.InlineAsm(kind, text, constraints.lstrip(","), side_effect=effect), arguments)


def _parts(builder, values, count):
    return [builder.extract_value(values, n) for n in range(count)]


def _data(context, builder, kind, array):
    return context.make_array(kind)(context, builder, value=array).data


@intrinsic
def shared_address(typingctx, array):
    """The address of an array of shared memory, as instructions take it, int64."""

    def codegen(context, builder, signature, args):
        pointer = builder.ptrtoint(_data(context, builder, signature.args[0], args[0]), _I64)
        return _assembly(builder, _I64, "cvta.to.shared.u64 $0, $1;", "=l,l", [pointer])

    return types.int64(array), codegen


@intrinsic
def global_address(typingctx, array, offset):
    """The address of an element, by its number, of an array of global memory, int64."""

    def codegen(context, builder, signature, args):
        pointer = builder.gep(_data(context, builder, signature.args[0], args[0]), [args[1]])
        return _assembly(
            builder, _I64, "cvta.to.global.u64 $0, $1;", "=l,l", [builder.ptrtoint(pointer, _I64)]
        )

    return types.int64(array, types.int64), codegen


@intrinsic
def copy_chunk(typingctx, target, source):
    """Begin to copy 16 bytes from global to shared memory, past the L1 cache; both addresses aligned."""

    def codegen(context, builder, signature, args):
        text = "cp.async.cg.shared.global [$0], [$1], 16;"
        _assembly(
            builder, ir.VoidType(), text, "r,l", [builder.trunc(args[0], _I32), args[1]], effect=True
        )
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


def _plain(text):
    """An intrinsic of one instruction without operands."""

    @intrinsic
    def run(typingctx):
        def codegen(context, builder, signature, args):
            _assembly(builder, ir.VoidType(), text, "", [], effect=True)
            return context.get_dummy_value()

        return types.void(), codegen

    return run


end_stage = _plain("cp.async.commit_group;")
# This thread's copies of the oldest stage are there.
await_stage = _plain(f"cp.async.wait_group {tiles.STAGES - 2};")


@intrinsic
def no_sums(typingctx):
    """A thread's accumulators, all 0."""

    def codegen(context, builder, signature, args):
        return ir.Constant(context.get_value_type(signature.return_type), None)

    return _SUMS(), codegen


def _states(builder, word, upper):
    """Two of the four states in a word, each a byte 0 or 1, as two bfloat16."""
    text = f"prmt.b32 $0, $1, 0, {0x4342 if upper else 0x4140};"
    return builder.mul(_assembly(builder, _I32, text, "=r,r", [word]), ir.Constant(_I32, _ONE))


def _load_four(builder, instruction, address, offset):
    text = f"{instruction} {{$0, $1, $2, $3}}, [$4 + {offset}];"
    words = ir.LiteralStructType([_I32] * 4)
    return _parts(builder, _assembly(builder, words, text, "=r,=r,=r,=r,r", [address], effect=True), 4)


@intrinsic
def multiply_step(typingctx, sums, states, weights):
    """The accumulators after a step; states, weights: the lane's addresses (`tiles`), int64."""

    def codegen(context, builder, signature, args):
        totals = _parts(builder, args[0], tiles.ACCUMULATORS)
        states, weights = (builder.trunc(address, _I32) for address in args[1:])
        load = "ldmatrix.sync.aligned.m8n8.x4.shared.b16"
        words = [
            _load_four(builder, load, states, tiles.STRIP_BYTES * strip) for strip in range(tiles.STRIPS)
        ]
        for product in range(tiles.PRODUCTS):
            a = [
                [_states(builder, strip[2 * product + row], upper) for upper in (0, 1) for row in (0, 1)]
                for strip in words
            ]
            for pair in range(tiles.PAIRS):
                offset = tiles.PRODUCT_BYTES * product + tiles.PAIR_BYTES * pair
                b = _load_four(builder, "ld.shared.v4.b32", weights, offset)
                for strip in range(tiles.STRIPS):
                    for half in range(2):
                        first = tiles.accumulator(strip, pair, half, 0)
                        totals[first : first + 4] = _multiply(
                            builder, a[strip], b[2 * half : 2 * half + 2], totals[first : first + 4]
                        )
        out = args[0]
        for n, total in enumerate(totals):
            out = builder.insert_value(out, total, n)
        return out

    return _SUMS(_SUMS, types.int64, types.int64), codegen


def _multiply(builder, a, b, c):
    text = (
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};"
    )
    result = ir.LiteralStructType([_F32] * 4)
    constraints = "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f"
    return _parts(builder, _assembly(builder, result, text, constraints, [*a, *b, *c]), 4)


def _lay_out(half):
    @intrinsic
    def lay_out(typingctx, sums, buffer, thread):
        """Write half of the sums where a loop finds them: unit n of quad q at [4 q + n, thread]."""

        def codegen(context, builder, signature, args):
            data = builder.gep(_data(context, builder, signature.args[1], args[1]), [args[2]])
            for place in range(4 * tiles.QUADS):
                number = tiles.quad_accumulator(tiles.QUADS * half + place // 4, place % 4)
                target = builder.gep(data, [ir.Constant(_I64, tiles.THREADS * place)])
                builder.store(builder.extract_value(args[0], number), target)
            return context.get_dummy_value()

        return types.void(_SUMS, buffer, types.int64), codegen

    return lay_out


lay_out_first, lay_out_second = _lay_out(0), _lay_out(1)


@intrinsic
def bfloat16_terms(typingctx, value):
    """Bits of the bfloat16 nearest to a float32, ties to even, and of the nearest to what is left."""

    def codegen(context, builder, signature, args):
        def nearest(x):
            return _assembly(builder, _I16, "cvt.rn.bf16.f32 $0, $1;", "=h,f", [x])

        first = nearest(args[0])
        bits = builder.shl(builder.zext(first, _I32), ir.Constant(_I32, 16))
        second = nearest(builder.fsub(args[0], builder.bitcast(bits, _F32)))
        return context.make_tuple(builder, signature.return_type, [first, second])

    return types.UniTuple(types.uint16, 2)(types.float32), codegen


@intrinsic
def put_word(typingctx, out, offset, word):
    """Write four bytes of an array of bytes, from a byte's number that is a multiple of 4."""

    def codegen(context, builder, signature, args):
        target = builder.gep(_data(context, builder, signature.args[0], args[0]), [args[1]])
        builder.store(args[2], builder.bitcast(target, _I32.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(out, types.int64, types.uint32), codegen
