"""Counter-based random numbers: published vectors, and an implementation in Python's integers."""

import numpy as np
import pytest
from conftest import complaint
from scipy import stats
from scipy.special import ndtri

from ebmbench.philox import philox as compiled_philox
from ebmbench.randomness import (
    Key,
    Stream,
    check_seed,
    normals,
    permutation,
    states,
    uniforms,
)


def philox(counter, key):
    """Philox4x32-10 by its definition in Python's integers."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k0, b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k1, a & 0xFFFFFFFF]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


# Random123 1.14, tests/kat_vectors, philox4x32-10: counter, key, result.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN, ids=["zeros", "ones", "pi"])
def test_philox_gives_the_published_vectors(counter, key, words):
    assert compiled_philox(*(np.uint32(x) for x in counter + key)) == words
    assert tuple(philox(counter, key)) == words


def uniform(key, row, unit, layer):
    """The uniform of one unit by the specification."""
    counter = (unit >> 2, key.chain + row, key.step & 0xFFFFFFFF, key.step >> 32)
    word = philox(counter, (key.seed, key.stream + layer))[unit & 3]
    return ((word >> 9) + 0.5) * 2.0**-23


KEYS = [
    Key(0, Stream.CHAINS),
    Key(7, Stream.CONTRASTIVE, 1, 3),
    Key(2**32 - 1, Stream.ANNEALING, 2**32 - 1, 1000),
    Key(12345, Stream.SHUFFLING, 2**32, 0),
    Key(1, Stream.SAMPLES, 2**63 + 5, 2**31),
    Key(1, Stream.INITIAL_PARAMETERS, 2**64 - 1, 2**32 - 4),
]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"step {key.step}")
@pytest.mark.parametrize("layer", [0, 1])
def test_uniforms_follow_the_specification(key, layer):
    wanted = [[uniform(key, row, unit, layer) for unit in range(11)] for row in range(4)]
    assert uniforms(key, 4, 11, layer).tolist() == wanted


def test_states_are_on_where_the_uniform_is_below_the_probability():
    key = Key(5, Stream.DATA, 2**32 + 1, 3)
    p = np.float32(np.random.default_rng(0).uniform(size=(9, 11)))
    p[2], p[3] = 0.0, 1.0
    found = states(p, key)
    assert found.dtype == np.uint8
    assert (found == (uniforms(key, 9, 11) < p)).all()
    assert (found[2:4] == [[0], [1]]).all()


def test_advance_and_chain_continue_with_the_same_bits():
    key = Key(3, Stream.CHAINS, 2**32 - 2, 9)
    assert key.advance(3) == Key(3, Stream.CHAINS, 2**32 + 1, 9)
    assert key.advance(2).advance(1) == key.advance(3)
    whole = uniforms(key, 7, 10)
    assert (uniforms(key._replace(chain=12), 4, 10) == whole[3:]).all()
    assert (uniforms(key, 7, 3) == whole[:, :3]).all()


@pytest.mark.parametrize("field", ["seed", "stream", "step", "chain"])
def test_every_field_of_a_key_changes_the_numbers(field):
    key = Key(5, 4, 3, 2)
    other = key._replace(**{field: getattr(key, field) + 1})
    # Of 400 words of 23 bits a coincidence at one place has a chance of 5e-5.
    assert not (uniforms(key, 20, 20) == uniforms(other, 20, 20)).any()


def test_streams_do_not_overlap():
    owned = [stream + layer for stream in Stream for layer in range(16)]
    assert len(set(owned)) == len(owned)


def test_uniforms_are_uniform_and_lie_inside_the_interval():
    u = uniforms(Key(11, Stream.CHAINS), 300, 301).astype(np.float64)
    assert u.min() > 0.0
    assert u.max() < 1.0
    scaled = u * 2.0**24
    assert (scaled == np.rint(scaled)).all()
    # Each of the three has a chance of 1e-3 to fail for a good generator.
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-3
    between_units = np.corrcoef(u[:, :-1].ravel(), u[:, 1:].ravel())[0, 1]
    between_chains = np.corrcoef(u[:-1].ravel(), u[1:].ravel())[0, 1]
    assert max(abs(between_units), abs(between_chains)) < 3.5 / np.sqrt(300 * 300)


def test_normals_are_the_inverted_uniforms():
    key = Key(4, Stream.INITIAL_PARAMETERS)
    x = normals(key, 50, 41)
    assert x.dtype == np.float64
    assert (x == ndtri(uniforms(key, 50, 41).astype(float))).all()
    assert stats.kstest(x.ravel(), "norm").pvalue > 1e-3


@pytest.mark.parametrize("n", [1, 2, 33, 1000])
def test_permutation_is_one_and_depends_on_the_step(n):
    key = Key(6, Stream.SHUFFLING)
    order = permutation(key, n)
    assert sorted(order) == list(range(n))
    assert (order == permutation(key, n)).all()
    if n > 32:
        assert (order != permutation(key.advance(1), n)).any()


def test_every_order_is_equally_likely():
    key = Key(8, Stream.SHUFFLING)
    orders = [tuple(permutation(key.advance(t), 3)) for t in range(3000)]
    counts = [orders.count(order) for order in sorted(set(orders))]
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_must_fit_its_word(seed):
    assert str(seed) in complaint(check_seed, seed)


def test_the_largest_seed_fits():
    assert check_seed(2**32 - 1) == 2**32 - 1
