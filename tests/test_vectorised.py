"""The hot loops of the processor's kernels are vectors: read from the machine language they became.

A new hot loop is a new line of HOT. What must be there is an innermost loop that does the named
operations on whole vectors and none of them singly; beside it stands that for what is left of a row.
"""

import math

import numba
import numpy as np
import pytest
from assembly import LIBRARY, MACHINE, PACKED, loops, vectorised, versions

from ebmbench.harness import gate
from ebmbench.kernels.cpu import (
    adam,
    annealing,
    contrast,
    dropout,
    field,
    flips,
    gibbs,
    graph,
    integers,
    losses,
    meanfield,
    noise,
    propagation,
    statistics,
    tempering,
    tiles,
    together,
    update,
)
from ebmbench.kernels.cpu.gaussian import gibbs as gaussian_gibbs
from ebmbench.scalar import sigmoid

pytestmark = [
    pytest.mark.skipif(MACHINE not in PACKED, reason=f"the instructions of {MACHINE} are not known here"),
    pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="Numba compiles nothing here"),
]

UNIFORMS = ("multiply whole numbers", "add")  # Philox and the step to (0, 1)
DRAW = ("multiply-add", "multiply", "compare")  # an exponential beside a uniform
ROWS_ADDED, ROWS_SUBTRACTED = ("add",), ("subtract",)
SUMS, ELSEWHERE = (ROWS_ADDED, ROWS_SUBTRACTED), ("multiply", "divide")  # or another loop would do
PRODUCT, TOTAL = ("multiply float64",), ("add float64",)
WEIGHTED = ("multiply-add",)  # rows times their weights, and products of dense matrices
SOFTPLUS = ("divide float64", "multiply float64", "add float64")

# A kernel, of its versions those whose arguments have these types, and its hot loops.
HOT = {
    "gibbs": (gibbs.walk, {}, [UNIFORMS, DRAW, ROWS_ADDED, ROWS_SUBTRACTED]),
    "anneal": (
        annealing._anneal,
        {},
        [
            *(UNIFORMS, DRAW, ("divide",), ("compare",), ROWS_ADDED, ROWS_SUBTRACTED),
            *(("multiply", "add", "add float64"), PRODUCT, TOTAL, SOFTPLUS),
        ],
    ),
    "temper": (tempering._ladders, {}, [UNIFORMS, DRAW, ROWS_ADDED, ROWS_SUBTRACTED]),
    "gaussian gibbs": (gaussian_gibbs._sweeps, {}, [UNIFORMS, DRAW, ("divide", "multiply", "subtract")]),
    "probabilities": (
        statistics.find_probabilities, {"plus": "uint8", "minus": "uint8"},
        [ROWS_ADDED, ("divide", "multiply", "add")],
    ),
    "probabilities of grey rows": (
        statistics.find_probabilities, {"plus": "float32", "minus": "float32"},
        [WEIGHTED, ("divide",)],
    ),
    "half a sweep": (gibbs.draw_half, {"start": "uint8"}, [UNIFORMS, DRAW, ROWS_ADDED]),
    "a layer": (propagation.propagate, {}, [WEIGHTED, ("divide", "multiply", "add")]),
    "a layer of binary states": (
        propagation.propagate_sparse, {"states": "uint8"}, [ROWS_ADDED, ("divide", "multiply", "add")],
    ),
    "units left out": (dropout._thin, {"a": "float32"}, [UNIFORMS, ("multiply", "compare")]),
    "noise": (
        noise._add_noise, {"rows": "float32"}, [UNIFORMS, ("square root", "divide", "multiply", "add")],
    ),
    "back through a layer": (propagation.delta_below, {}, [WEIGHTED, ("multiply",), ("add float64",)]),
    "cross-entropy": (losses._cross_entropy, {"targets": "uint8"}, [("multiply", "add")]),
    "Adam along a gradient": (
        adam._adam_along, {"a": "float32"}, [WEIGHTED, ("square root", "divide", "multiply", "add")],
    ),
    "Adam along a binary gradient": (
        adam._adam_along, {"a": "uint8"}, [ROWS_ADDED, ("square root", "divide", "multiply", "add")],
    ),
    "ascent along a gradient": (adam._ascend_along, {"a": "float32"}, [WEIGHTED, ("multiply", "add")]),
    "Adam": (adam._adam_step, {}, [("square root", "divide", "multiply", "add")]),
    "an average": (adam._slide, {}, [("subtract", "multiply", "add")]),
    "what moved": (meanfield._moved, {}, [("subtract", "compare")]),
    "free energies": (statistics._free_energies, {}, [SOFTPLUS, PRODUCT, TOTAL]),
    "contrast": (
        contrast.write_contrast, {"plus": "uint8", "minus": "uint8"},
        [ROWS_ADDED, ("multiply", "subtract")],
    ),
    "training on grey rows": (
        contrast.climb_contrast, {"plus": "float32", "minus": "uint8"},
        [WEIGHTED, ROWS_ADDED, ("multiply", "add")],
    ),
    "a mask": (update._mask, {}, [("multiply",)]),
    "training": (
        contrast.climb_contrast, {"plus": "uint8", "minus": "uint8"},
        [ROWS_ADDED, ("multiply", "subtract"), ("multiply", "add")],
    ),
    "update of weights": (update.move_weights, {}, [("multiply", "add")]),
    "update of biases": (update.update_bias, {}, [("multiply", "add", "compare")]),
    "centring": (update.centre_gradient, {}, [("multiply", "subtract"), TOTAL]),
    "a sweep of units": (
        graph.gibbs._sweeps, {}, [UNIFORMS, ("multiply", "add", "subtract"), ("multiply", "add")],
    ),
    "a sweep of few units": (graph.small._sweeps, {}, [UNIFORMS, WEIGHTED]),
    "means of hidden units": (graph.meanfield._settle, {}, [WEIGHTED]),
    "centring of units": (graph.centring._centre, {}, [("multiply", "subtract"), TOTAL]),
    "annealing of units": (
        graph.annealing._anneal, {},
        [UNIFORMS, ("multiply", "add", "subtract"), ("multiply", "add"), TOTAL],
    ),
    "couplings": (graph.device._update, {}, [("multiply", "add")]),
    "errors given the parents": (graph.directed._errors, {}, [("divide", "multiply", "subtract")]),
    "energies given the parents": (graph.directed._energies, {}, [SOFTPLUS, PRODUCT, TOTAL]),
    "energies of pairs": (graph.statistics._energies, {}, [("multiply float64",), TOTAL]),
    "flips of pairs": (graph.flips._flip, {}, [("divide", "multiply", "subtract"), SOFTPLUS]),
    "a sweep of a field": (field.gibbs._sweeps, {}, [UNIFORMS, WEIGHTED]),
    "annealing of a field": (field.annealing._anneal, {}, [UNIFORMS, WEIGHTED]),
    "sums of edges": (field.statistics._add_edges, {}, [("multiply", "add")]),
    "flips": (
        flips._flip_gradient,
        {},
        [("multiply", "add", "divide"), ("multiply", "subtract", "add"), PRODUCT],
    ),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    """The gate calls every kernel with all types of arguments that it has."""
    gate.demand("cpu")


@pytest.mark.parametrize("name", HOT)
def test_hot_loops_are_vectors(name):
    kernel, dtypes, wanted = HOT[name]
    found = versions(kernel, **dtypes)
    assert found
    for text in found:
        missing = [
            operations
            for operations in wanted
            if not vectorised(text, operations, without=ELSEWHERE if operations in SUMS else ())
        ]
        assert missing == []
        assert LIBRARY.findall(text) == []  # a call for each unit


@pytest.mark.parametrize("name", [name for name in HOT if ROWS_ADDED in HOT[name][2]])
def test_sums_of_rows_stay_in_registers(name):
    """Or each row costs twice the instructions, as on ARM, where eight vectors would fill all."""
    kernel, dtypes, wanted = HOT[name]
    elsewhere = "multiply", "divide", "multiply-add", "multiply whole numbers", "add float64"
    others = [PACKED[MACHINE][operation][0] for operation in elsewhere]
    found = versions(kernel, **dtypes)
    assert found
    for text in found:
        for (operation,) in [operations for operations in SUMS if operations in wanted]:
            packed, _ = PACKED[MACHINE][operation]
            many = [loop for loop in loops(text) if loop.count(packed) > 3]
            sums = [loop for loop in many if not any(loop.count(other) for other in others)]
            assert sums
            assert not [loop for loop in sums if loop.spilled()]


@pytest.mark.skipif(not tiles.BUILT, reason="this processor has no matrix unit")
@pytest.mark.parametrize("kernel", [gibbs.walk, together._sweeps, annealing._anneal, tempering._ladders])
def test_the_matrix_unit_multiplies_as_often_as_it_loads(kernel):
    for text in versions(kernel):
        fed = [loop for loop in loops(text) if loop.count("tdpbssd")]
        assert fed
        for loop in fed:
            assert loop.count("tdpbssd") == loop.count("tileload")
            assert not loop.calls
            assert not any("tilestore" in line for line in loop.instructions)
            assert not loop.spilled()


@pytest.mark.skipif(not tiles.BUILT, reason="this processor has no matrix unit")
def test_weights_become_integers_a_vector_at_a_time():
    """A conversion that is defined for all numbers, NaN too, takes them one by one."""
    found = versions(integers._convert)
    assert found
    for text in found:
        assert vectorised(text, ("multiply", "to whole numbers"), without=())
        assert vectorised(text, ("add", "compare"), without=())
        assert "ss2si" not in text


def assembly_of(function, *arguments):
    kernel = numba.njit(error_model="numpy")(function)
    kernel(*arguments)
    (text,) = versions(kernel)
    return text


X = np.linspace(-2.0, 2.0, 50, dtype=np.float32)


def independent(x, out):
    for j in range(x.size):
        out[j] = sigmoid(x[j])


def each_after_the_other(x, out):
    for j in range(1, x.size):
        out[j] = sigmoid(np.float32(out[j - 1] + x[j]))


def by_the_library(x, out):
    for j in range(x.size):
        out[j] = 1 / (np.float32(1.0) + math.exp(-x[j]))


def largest(x, out):
    most = np.float32(0.0)
    for j in range(x.size):
        most = x[j] if x[j] > most else most
    out[0] = most


def test_a_loop_that_is_no_vector_is_seen():
    """Else the test above could not fail: a chain of dependences, a library's function, a reduction."""
    wanted = ("divide", "multiply", "add")
    text = assembly_of(independent, X, X.copy())
    assert vectorised(text, wanted)
    assert not LIBRARY.findall(text)
    text = assembly_of(each_after_the_other, X, X.copy())
    assert loops(text)
    assert not vectorised(text, wanted)
    text = assembly_of(by_the_library, X, X.copy())
    assert not vectorised(text, ("divide",))
    assert LIBRARY.findall(text)
    assert not vectorised(assembly_of(largest, X, X.copy()), ("maximum",))


LISTING = """
kernel:
\tvmulss\t%xmm0, %xmm1, %xmm0
.LBB0_1:
\tvmovups\t(%rax), %zmm0
.LBB0_2:
\tvmulps\t%zmm0, %zmm1, %zmm0
\tje\t.LBB0_3
\tvaddps\t%zmm0, %zmm1, %zmm0
.LBB0_3:
\taddq\t$1, %rcx
\tjne\t.LBB0_2
\tvdivss\t%xmm0, %xmm1, %xmm0
\tjne\t.LBB0_1
.LBB0_4:
\tcallq\t*%rax
\tvsubps\t%zmm0, %zmm1, %zmm0
\tjmp\t.LBB0_4
"""


def test_loops_are_found_in_a_listing():
    inner, last = loops(LISTING)
    assert [line.split()[0] for line in inner.instructions] == ["vmulps", "je", "vaddps", "addq", "jne"]
    assert (inner.function, inner.calls, last.calls) == ("kernel", False, True)
    assert vectorised(LISTING, ("multiply", "add"), "x86_64")
    assert not inner.spilled("x86_64")
    for place in ("64(%rsp)", "(%rsp,%rax,4)", "-64(%rbp)"):
        (spilling,) = loops(f"k:\n.LBB0_1:\n\tvmovups\t%zmm0, {place}\n\tjne\t.LBB0_1\n")
        assert spilling.spilled("x86_64") == [f"vmovups\t%zmm0, {place}"]
    (spilling,) = loops("k:\n.LBB0_1:\n\tldr\tq0, [sp, #16]\n\tb.ne\t.LBB0_1\n")
    assert spilling.spilled("aarch64") == ["ldr\tq0, [sp, #16]"]
    assert not vectorised(LISTING, ("divide",), "x86_64")  # it stands in an outer loop, and singly
    assert not vectorised(LISTING, ("subtract",), "x86_64")  # that loop calls a function
    single = LISTING.replace("je\t", "vaddss\t%xmm0, %xmm1, %xmm0\n\tje\t")
    assert not vectorised(single, ("multiply", "add"), "x86_64")
    arm = "k:\n.LBB0_1:\n\tfmul\tv0.4s, v1.4s, v2.4s\n\tb.ne\t.LBB0_1\n"
    assert vectorised(arm, ("multiply",), "aarch64")
    assert not vectorised(arm.replace("v0.4s, v1.4s, v2.4s", "s0, s1, s2"), ("multiply",), "aarch64")
