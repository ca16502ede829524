"""Uniforms and draws by vectors: the bits of one unit after the other, wherever a layer ends."""

from functools import cache

import numba
import numpy as np
import pytest
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ebmbench import randomness
from ebmbench.compile import jit
from ebmbench.kernels.cpu import uniforms, words
from ebmbench.kernels.cpu.drawing import draw, draw_between, draw_from
from ebmbench.kernels.cpu.emit import I32, I64, LANES, WORDS, load, opened, store
from ebmbench.scalar import sigmoid

draw_between, draw_from = jit(draw_between), jit(draw_from)
UNITS = [1, 3, 4, 15, 16, 17, 20, 63, 64, 65, 100, 127, 500, 784, 1023, 1025, 2050]
SEED, STREAM, STEP, CHAIN = 4_000_000_000, 17, np.uint64(7 + (5 << 33)), 2**32 - 2
ROWS = 3


@jit
def _by_vectors(out, chain, step, seed, stream, first):
    uniforms.fill_uniforms(out, chain, step, seed, stream, first)


@jit
def _one_by_one(out, chain, step, seed, stream, first):
    randomness.fill_uniforms(out, chain, step, seed, stream, first)


@jit
def _exactly(u, x):
    out = np.empty(x.size, np.uint8)
    for i in range(x.size):
        out[i] = u[i] < sigmoid(x[i])
    return out


def wanted_uniforms(units, first=0, chain=CHAIN):
    out = np.empty(-(-units // 4) * 4, np.float32)
    _one_by_one(out, chain, STEP, SEED, STREAM, first)
    return out[:units]


def of_rows(units, first=0):
    return np.array([wanted_uniforms(units, first, (CHAIN + r) % 2**32) for r in range(ROWS)])


@pytest.mark.parametrize("first", [0, 4, 128])
@pytest.mark.parametrize("units", UNITS)
def test_uniforms_are_those_of_the_specification(units, first):
    found = np.full(units + 1, -1, np.float32)
    _by_vectors(found[:units], CHAIN, STEP, SEED, STREAM, first)
    np.testing.assert_array_equal(found[:units], wanted_uniforms(units, first))
    assert found[units] == -1


def emit_block(builder, first, chains, words, form):
    """Of the first chain, from unit `first` on."""
    return uniforms.emit_uniforms(builder, first, [builder.load(chains), *words], form)


def emit_lanes(builder, first, chains, words, form):
    """Of 16 chains, four units from `first` on."""
    group = builder.trunc(builder.lshr(first, ir.Constant(I64, 2)), I32)
    return uniforms.emit_lanes(builder, group, load(builder, chains, WORDS), words, form)


@cache
def compiled(emit, form):
    """A compiled function that writes the vectors `emit` makes in a form of words to the rows of out."""

    @intrinsic
    def write(typingctx, out, first, chains, low, high, seed, stream):
        def codegen(context, builder, signature, args):
            out, first, chains, *given = opened(context, builder, signature, args)
            for n, u in enumerate(emit(builder, first, chains.data, given, form)):
                store(builder, u, builder.gep(out.data, [ir.Constant(I64, n * LANES)]))
            return context.get_dummy_value()

        return types.void(out, types.intp, chains, *[types.uint32] * 4), codegen

    @numba.njit(error_model="numpy")
    def fill(out, first, chains, step, seed, stream):
        _, low, high, seed, stream = uniforms.words_of(chains[0], step, seed, stream)
        write(out, first, chains, low, high, seed, stream)

    return fill


CHAINS = np.arange(CHAIN, CHAIN + LANES).astype(np.uint32)
# A processor takes one of them.
forms = pytest.mark.parametrize("form", [words.LowHalves, words.SideBySide])
from_units = pytest.mark.parametrize("unit", [0, 4, 64, 4100])


def made(emit, form, unit):
    found = np.full((4, LANES), np.nan, np.float32)
    compiled(emit, form)(found, unit, CHAINS, STEP, SEED, STREAM)
    return found


@forms
@from_units
def test_a_block_of_uniforms_is_the_same_in_each_form_of_words(form, unit):
    wanted = wanted_uniforms(words.BLOCK, unit)
    np.testing.assert_array_equal(made(emit_block, form, unit).ravel(), wanted)


@forms
@from_units
def test_uniforms_of_many_chains_are_the_same_in_each_form_of_words(form, unit):
    wanted = [wanted_uniforms(4, unit, int(chain)) for chain in CHAINS]
    np.testing.assert_array_equal(made(emit_lanes, form, unit), np.transpose(wanted))


def inputs(units, scale):
    """Any numbers, some of which no sum can be; for None such as are as likely as their uniforms say."""
    u = of_rows(units).astype(np.float64)
    if scale is None:
        return np.log(u / (1.0 - u)).astype(np.float32)
    x = np.random.default_rng(units).normal(0.0, scale, (ROWS, units)).astype(np.float32)
    if units > 5:
        x[1, 2:5] = np.inf, np.nan, -np.inf
    return x


@pytest.mark.parametrize("scale", [0.1, 3.0, 200.0, None])
@pytest.mark.parametrize("units", UNITS)
def test_draws_are_the_exact_comparison(units, scale):
    """Also of units that are too close to tell by less than it."""
    beta, x = np.float32(0.7), inputs(units, scale)
    given = x if scale is not None else x / beta
    states = np.full((ROWS, units), 9, np.uint8)
    draw(given, 0, beta, states, 0, units, CHAIN, STEP, SEED, STREAM)
    u = of_rows(units)
    wanted = [_exactly(u[r], beta * given[r]) for r in range(ROWS)]
    np.testing.assert_array_equal(states, wanted)


@pytest.mark.parametrize(
    ("left", "right", "before"), [(0, 70, 0), (64, 200, 64), (128, 201, 0), (8, 8, 0)]
)
def test_a_part_of_a_layer_is_drawn_as_the_whole(left, right, before):
    """And nothing else is touched."""
    units = 201
    x, one = inputs(units, 2.0), np.float32(1.0)
    whole, part = np.zeros((ROWS, units), np.uint8), np.full((ROWS, units), 9, np.uint8)
    draw(x, 0, one, whole, 0, units, CHAIN, STEP, SEED, STREAM)
    draw(np.ascontiguousarray(x[:, before:]), before, one, part, left, right, CHAIN, STEP, SEED, STREAM)
    np.testing.assert_array_equal(part[:, left:right], whole[:, left:right])
    assert (np.delete(part, np.s_[left:right], axis=1) == 9).all()


@pytest.mark.parametrize("scale", [3.0, None])
@pytest.mark.parametrize("units", UNITS)
def test_draws_on_a_path_are_the_exact_comparison(units, scale):
    beta, base = 0.3, np.random.default_rng(1).normal(size=units).astype(np.float32)
    rest, share = np.float32(1.0 - beta), np.float32(beta)
    x = inputs(units, scale)
    if scale is None:
        x = ((x - rest * base) / share).astype(np.float32)
    states = np.full((ROWS, units), 9, np.uint8)
    draw_between(base, x, beta, states, CHAIN, STEP, SEED, STREAM)
    u = of_rows(units)
    wanted = [_exactly(u[r], rest * base + share * x[r]) for r in range(ROWS)]
    np.testing.assert_array_equal(states, wanted)


@pytest.mark.parametrize("units", UNITS)
def test_draws_from_probabilities(units):
    u = of_rows(units)
    p = np.random.default_rng(units).random((ROWS, units), np.float32)
    p[0] = u[0]  # never below itself
    p[1, 0] = np.nan
    states = np.full((ROWS, units), 9, np.uint8)
    draw_from(p, states, CHAIN, STEP, SEED, STREAM)
    np.testing.assert_array_equal(states, u < p)
