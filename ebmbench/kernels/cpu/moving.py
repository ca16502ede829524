"""What an update does to weights."""

from ebmbench.compile import inner
from ebmbench.scalar import TINY, settled


@inner(forceinline=True)
def move(w, v, g, rate, momentum, decay):
    """V = momentum v + rate (g - decay w), or 0 where that is next to nothing, and w += v; in place.

    The velocity of a weight without a gradient shrinks by the momentum at each update, and must not stay
    for good among the numbers that `TINY` keeps away.
    """
    for j in range(w.size):
        v[j] = settled(momentum * v[j] + rate * (g[j] - decay * w[j]), TINY)
        w[j] += v[j]
