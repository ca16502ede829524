"""What the layers of a stack make of data: hidden units drawn upwards, one layer given the one below."""

from collections.abc import Sequence

from ebmbench.kernels.api import Backend, Handle, Rows
from ebmbench.randomness import Key


def upwards(
    k: Backend, layers: Sequence[Handle], rows: Rows, key: Key, betas: Sequence[float] | None = None
) -> Rows:
    """h of the uppermost of these RBMs, uint8 [B, its n_hidden], drawn through all of them.

    betas: the layers' inverse temperatures, by default 1. Layer l draws with the uniforms of step
    key.step + l. Without layers the rows themselves.
    """
    for n, layer in enumerate(layers):
        rows = k.sample_hidden(layer, rows, key.advance(n), 1.0 if betas is None else betas[n])
    return rows
