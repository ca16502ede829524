"""A layer's pre-activations kept from sweep to sweep, and changed by what flipped.

From one sweep to the next few units change: of a trained 784 x 500 model 4 % of the visible and 14 % of
the hidden ones, where 13 % and 27 % are on. So bias + state @ matrix is not summed anew, but each row of
the matrix whose unit went on is added and each whose unit went off is subtracted, wherever those are
fewer than the rows that are on. Which way is taken depends on the chain's own states alone.

In `grid` arithmetic all sums are exact, so both ways give the same bits. In `float` each row added or
subtracted rounds x once, by at most 2**-24 of its size. So that errors do not add up, sums start anew
every `REFRESH` sweeps: with 100 flips a sweep and |x| < 16 that is at most 6,400 roundings, whose sum
is about 4e-5, and a probability is off by at most a quarter of it.
"""

from ebmbench.compile import jit
from ebmbench.kernels.cpu.changes import list_changes
from ebmbench.kernels.cpu.rows import add_listed

REFRESH = 64  # sweeps


@jit(forceinline=True)
def _forget(state):
    for i in range(state.size):
        state[i] = 0


@jit
def follow(bias, matrix, new, old, fresh, up, down, x):
    """Make x = bias + new @ matrix from x = bias + old @ matrix, and old = new.

    bias, x: float32 [columns]; matrix: float32 [units, columns], columns a multiple of LANES; new, old:
    uint8 [units] of 0 and 1; fresh: whether to sum anew, whatever x and old hold; up, down: int32 scratch
    [at least units].
    """
    if fresh:
        _forget(old)
    rising, falling, on = list_changes(new, old, up, down)
    if not fresh and rising + falling > on:
        fresh = True
        _forget(old)
        rising, falling, on = list_changes(new, old, up, down)
    add_listed(bias if fresh else x, matrix, up, rising, down, falling, x)
    for i in range(new.size):  # ten times as fast as an assignment of slices
        old[i] = new[i]
