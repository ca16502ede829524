"""How long the threads of compiled code wait awake for more work.

Numba's threads are those of libgomp, which after each parallel region spin for 5 ms by its own choice. In
that time a core without work is kept from whoever has some: NumPy's BLAS, another library that is
measured in turn, another user. The regions of a training step follow each other within 0.1 ms.
"""

import importlib
import os
from contextlib import suppress

_TURNS = "10000"  # of the loop in which they wait, about 0.2 ms
_CHOSEN_BY_USER = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"


def load() -> None:
    """Load Numba's libgomp with this setting, unless the user has chosen one; starts no thread.

    libgomp reads its settings when it is loaded, so they are set for that moment alone: other libraries
    bring a libgomp of their own, and other processes need not know.
    """
    ours = not any(name in os.environ for name in _CHOSEN_BY_USER)
    if ours:
        os.environ["GOMP_SPINCOUNT"] = _TURNS
    with suppress(ImportError):  # Numba has another pool then
        importlib.import_module("numba.np.ufunc.omppool")
    if ours:
        del os.environ["GOMP_SPINCOUNT"]
