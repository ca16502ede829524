"""How `tensor` cuts a layer into tiles: which thread, register and byte holds which chain and unit.

A block of 4 warps draws a tile of 128 chains by 128 units, a warp a quarter of it, 64 by 64. The sum over
the other layer's units goes in steps of 32: a step's tile of states is 128 rows of 32 bytes, its tile
of weights 32 by 128 bfloat16.

In the product of 16 by 16 by 8, mma.m16n8k16 of the PTX ISA, lane 4g + t holds rows g and g + 8, the
slots 2t, 2t + 1, 2t + 8 and 2t + 9 of the 16 that are summed over, and of the result the columns 2t and
2t + 1. Both orders are ours to choose, since a sum has no order and W is laid out once a model. The 16
slots stand for 16 units such that a lane holds four consecutive ones, see `unit_of_slot`: then a lane
reads four states as one word, and two neighbouring products leave it four consecutive units of a chain,
which are one call of Philox and one word of states to write.
"""

from ebmbench.compile import jit

ROWS, COLUMNS = 128, 128  # chains and units of a block's tile
WARP = 64  # chains and units of a warp's quarter
DEPTH = 32  # units of the other layer in a step
THREADS = 128
CHUNK = 16  # bytes that one asynchronous copy moves

PRODUCTS = DEPTH // 16  # products of 16 summed units in a step
STRIPS = WARP // 16  # of 16 chains in a warp's quarter
_PAIR_BITS = 2
PAIRS = 1 << _PAIR_BITS  # of neighbouring products, each pair 16 units wide, in a warp's quarter
TILE_PAIRS = COLUMNS // 16

STATE_BYTES = ROWS * DEPTH
WEIGHTS = DEPTH * COLUMNS  # bfloat16 numbers in a step's tile
STATE_CHUNKS = STATE_BYTES // CHUNK // THREADS  # that a thread copies in a step
WEIGHT_CHUNKS = 2 * WEIGHTS // CHUNK // THREADS
STAGE_BYTES = STATE_BYTES + 2 * WEIGHTS
STAGES = 3  # steps in shared memory: one being multiplied, two on their way
SHARED_BYTES = STAGES * STAGE_BYTES

STRIP_BYTES = 16 * DEPTH  # from one strip's states to the next
PAIR_BYTES = 32 * CHUNK  # from one pair's weights to the next: 16 bytes for each lane
PRODUCT_BYTES = TILE_PAIRS * PAIR_BYTES

ACCUMULATORS = STRIPS * PAIRS * 8  # of a thread
QUADS = ACCUMULATORS // 4 // 2  # groups of four consecutive units in half of them


@jit(forceinline=True)
def unit_of_slot(slot):
    """Which of 16 units stands in a slot: lane t holds 4t, 4t + 1, ... in 2t, 2t + 1, 2t + 8, 2t + 9."""
    return 4 * ((slot & 7) >> 1) + 2 * (slot >> 3) + (slot & 1)


@jit(forceinline=True)
def state_row(chunk):
    """The row of a step's tile of states that a chunk, 0 to 255, belongs to."""
    return chunk >> 1


@jit(forceinline=True)
def state_column(chunk):
    """The first column of a chunk in its row: 0 or 16."""
    return CHUNK * (chunk & 1)


@jit(forceinline=True)
def state_byte(row, column):
    """Where a chunk, by its row and first column, stands in the shared tile of states.

    Rows are 32 bytes, so every fourth would begin in the same banks: in the second four of every eight
    rows the two chunks change places, and the eight rows of a matrix lie in all 32 banks.
    """
    return DEPTH * row + (column ^ (CHUNK * ((row >> 2) & 1)))


@jit(forceinline=True)
def chunk_byte(chunk):
    """Where a chunk of a step's tile of states, by its number, stands in the shared one."""
    return state_byte(state_row(chunk), state_column(chunk))


@jit(forceinline=True)
def next_stage(byte):
    """Where the stage after the one that begins at a byte begins; after the last comes the first."""
    return byte + STAGE_BYTES if byte + STAGE_BYTES < SHARED_BYTES else 0


@jit(forceinline=True)
def matrix_byte(lane, warp):
    """Where lane's row begins for the first `ldmatrix` of a step.

    It loads four matrices of 8 rows by 16 bytes: matrix n = lane / 8 has the rows 8 (n & 1) ... of a
    strip and the states of product n / 2. A lane gets bytes 4t ... 4t + 3 of row g of each.
    """
    row = WARP * (warp >> 1) + (lane & 7) + 8 * ((lane >> 3) & 1)
    return state_byte(row, CHUNK * (lane >> 4))


@jit(forceinline=True)
def weight_byte(lane, warp):
    """Where lane's weights of the first pair of the first product stand in the shared tile of weights.

    Weights lie in the order in which lanes need them, 16 bytes each: both registers of the pair's two
    products. A warp reads 512 consecutive bytes, so no bank is asked twice in a cycle.
    """
    return PAIR_BYTES * PAIRS * (warp & 1) + CHUNK * lane


@jit(forceinline=True)
def weight_unit(element):
    """Which of the 32 summed units a step's element of weights, 0 to 4,095, belongs to.

    Elements are in the order product, pair, lane, product of the pair, register, half of the register.
    """
    lane, within = (element >> 3) & 31, element & 7
    slot = 2 * (lane & 3) + 8 * ((within >> 1) & 1) + (within & 1)
    return 16 * (element // (8 * 32 * TILE_PAIRS)) + unit_of_slot(slot)


@jit(forceinline=True)
def weight_column(element):
    """Which of the tile's 128 units a step's element of weights belongs to."""
    lane, within = (element >> 3) & 31, element & 7
    return 16 * ((element >> 8) % TILE_PAIRS) + unit_of_slot(8 * (within >> 2) + (lane >> 2))


def accumulator(strip, pair, product, register):
    """The number of an accumulator in the code's tuple; register: 0 to 3 as the PTX ISA numbers them."""
    return 4 * (2 * (PAIRS * strip + pair) + product) + register


def quad_accumulator(quad, unit):
    """The accumulator of unit 0 to 3 of a quad, 0 to 31: of a strip, its upper 8 rows or not, a pair."""
    strip, upper, pair = quad // (2 * PAIRS), quad // PAIRS % 2, quad % PAIRS
    return accumulator(strip, pair, unit >> 1, 2 * upper + (unit & 1))


@jit(forceinline=True)
def quad_row(quad, lane, warp):
    """The row of a block's tile that a lane's quad belongs to."""
    return WARP * (warp >> 1) + 8 * (quad >> _PAIR_BITS) + (lane >> 2)


@jit(forceinline=True)
def quad_column(quad, lane, warp):
    """The first of a lane's four columns in a quad."""
    return WARP * (warp & 1) + 16 * (quad & (PAIRS - 1)) + 4 * (lane & 3)
