"""Counter-based random numbers: which uniform a given unit of a given chain sees at a given step.

One specification for every backend, without state: Philox4x32-10 (Salmon et al. 2011) with
counter = (unit >> 2, chain, step low, step high) and key = (seed, stream), word = unit & 3. A chain
therefore draws the same numbers on any backend, thread count and split of a batch, and a run that
is continued from a `Key` continues with the same bits.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from ebmbench.compile import jit
from ebmbench.errors import UserError
from ebmbench.philox import four_uniforms
from ebmbench.scalar import LARGEST_PARAMETER

LAYERS = 16  # layers a purpose may have: the stream of layer l is purpose + l
VISIBLE, HIDDEN = 0, 1
START = LAYERS - 1  # the layer whose uniforms the first states of chains are drawn with
SWAPS = LAYERS - 2  # ... and that which decides about exchanges between temperatures


class Stream(IntEnum):
    """The registry of purposes; each owns 16 consecutive streams, one a layer."""

    CHAINS = 0 * LAYERS  # chains that persist or are sampled for their own sake
    CONTRASTIVE = 1 * LAYERS  # chains started from data
    ANNEALING = 2 * LAYERS
    SAMPLES = 3 * LAYERS  # chains that are only looked at: not those that shaped the model
    INITIAL_PARAMETERS = 4 * LAYERS
    SHUFFLING = 5 * LAYERS
    CHOSEN_BITS = 6 * LAYERS
    BASELINE = 7 * LAYERS
    NOISE = 8 * LAYERS  # the rows that data are told apart from
    DENOISING = 9 * LAYERS  # what denoising score matching adds to the data
    EXACT = 10 * LAYERS  # draws from an enumerated law
    REVERSE_ANNEALING = 11 * LAYERS  # from the model back to the base
    BURN_IN = 12 * LAYERS  # chains whose last states a reverse run starts from
    RECOGNITION = 13 * LAYERS  # hidden units drawn from data, upwards
    LATENT = 14 * LAYERS  # what a generator makes rows of
    RELABELLING = 15 * LAYERS  # of pooled rows, and which of many rows are looked at
    DATA = 16 * LAYERS  # binary rows of data that are probabilities
    DROPOUT = 17 * LAYERS  # units that a step leaves out of a network
    INSTANCE_NOISE = 18 * LAYERS  # what is added to all that a discriminator is shown
    DAMAGE = 19 * LAYERS  # what is lost of rows that are to be restored


class Key(NamedTuple):
    """Where a job stands in the random numbers.

    seed: 0 to 2**32 - 1; stream: a `Stream`; step: the first step, 0 to 2**64 - 1; chain: the number
    of the first row's chain.
    """

    seed: int
    stream: int
    step: int = 0
    chain: int = 0

    def advance(self, steps: int) -> "Key":
        """The key of the job that follows one of `steps` steps."""
        return self._replace(step=self.step + steps)


def check_seed(seed: int) -> int:
    """`seed` if it fits a word of the key; `UserError` otherwise."""
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise UserError(f"the seed must be a whole number between 0 and 4294967295, but is {seed}")
    return seed


def check_deviation(deviation: float) -> float:
    """`deviation` if noise may have it as its standard deviation; `UserError` otherwise."""
    if not 0.0 <= deviation <= LARGEST_PARAMETER:
        raise UserError(
            f"noise has a standard deviation from 0 to {LARGEST_PARAMETER:g}, not {deviation}"
        )
    return deviation


def derived_seed(seed: int, part: int) -> int:
    """The seed of a part of a run, such as a layer: of part 0 the run's own, of others a random one."""
    if part == 0:
        return check_seed(seed)
    key = Key(check_seed(seed), Stream.INITIAL_PARAMETERS, part)
    return int(fine_uniforms(key, 1, 1, START)[0, 0] * 2.0**32)


@jit(forceinline=True)
def fill_uniforms(out, chain, step, seed, stream, first=0):
    """Write the uniforms of units first, first + 1, ... of one chain; first, len(out): multiples of 4."""
    low = np.uint32(step & 0xFFFFFFFF)
    high = np.uint32(step >> 32)
    chain = np.uint32(chain)
    seed = np.uint32(seed)
    stream = np.uint32(stream)
    for group in range(out.size // 4):
        a, b, c, d = four_uniforms(np.uint32(first // 4 + group), chain, low, high, seed, stream)
        out[4 * group] = a
        out[4 * group + 1] = b
        out[4 * group + 2] = c
        out[4 * group + 3] = d


@jit
def _fill_chains(out, chain, step, seed, stream):
    for row in range(out.shape[0]):
        fill_uniforms(out[row], chain + row, step, seed, stream)


def uniforms(key: Key, chains: int, units: int, layer: int = 0) -> np.ndarray:
    """Uniforms of one step, float32 [chains, units], in (0, 1)."""
    out = np.empty((chains, -(-units // 4) * 4), np.float32)
    _fill_chains(out, key.chain, np.uint64(key.step), key.seed, key.stream + layer)
    return out[:, :units]


@jit
def _fill_states(p, out, chain, step, seed, stream):
    rows, units = p.shape
    u = np.empty((units + 3) // 4 * 4, np.float32)
    for r in range(rows):
        fill_uniforms(u, chain + r, step, seed, stream)
        for i in range(units):
            out[r, i] = u[i] < p[r, i]


def states(p: np.ndarray, key: Key) -> np.ndarray:
    """Binary states that are 1 with probabilities p, float32 [rows, units]; uint8, likewise."""
    out = np.empty(p.shape, np.uint8)
    _fill_states(p, out, key.chain, np.uint64(key.step), key.seed, int(key.stream))
    return out


def fine_uniforms(key: Key, chains: int, units: int, layer: int = 0) -> np.ndarray:
    """Uniforms of two words and so of 46 bits, float64 [chains, units], in (0, 1).

    Unit n takes the words of units 2n and 2n + 1 of `uniforms`.
    """
    u = uniforms(key, chains, 2 * units, layer).astype(np.float64)
    return u[:, ::2] + (u[:, 1::2] - 0.5) * 2.0**-23


def normals(key: Key, chains: int, units: int, layer: int = 0) -> np.ndarray:
    """Standard normal variates, float64 [chains, units], by inversion of the uniforms.

    Kernels draw the same ones in float32, by `normal.normal`.
    """
    return ndtri(uniforms(key, chains, units, layer).astype(np.float64))


def random_bits(key: Key, rows: int, units: int) -> np.ndarray:
    """A unit for each row, uniform over 0 ... units-1, int64 [rows], of the stream CHOSEN_BITS."""
    u = uniforms(key._replace(stream=Stream.CHOSEN_BITS), rows, 1)[:, 0].astype(np.float64)
    return np.minimum((u * units).astype(np.int64), units - 1)


def permutation(key: Key, n: int) -> np.ndarray:
    """A random order of 0 ... n-1, int64 [n]: the argsort of two uniforms' 46 bits an item."""
    return np.argsort(fine_uniforms(key, n, 1)[:, 0], kind="stable")
