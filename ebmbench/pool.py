"""Whose threads run compiled code, and how long they wait awake for more work.

oneTBB's where it is installed: a region does not wait for a thread that has not begun, so beside another
program that keeps a core busy small kernels take as long as on one thread, and a process may fork after
it has computed. After a region they look for work for about 0.9 ms, and yield to who has some. Numba does
not find it where pip puts it.

Elsewhere libgomp's, each of which a region waits for. After it they spin for 5 ms by its own choice. In
that time a core without work is kept from whoever has some: NumPy's BLAS, another library that is
measured in turn, another user. The regions of a training step follow each other within 0.1 ms.

On two idle cores both take as long, but for steps of many small regions: a GAN's 1.05 to 1.1 times with
oneTBB. Beside one busy loop updates of 64 x 64 models take 1.0 to 1.7 times as long with it, and 1.9 to
4.5 times with libgomp.
"""

import ctypes
import importlib
import os
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, files

from ebmbench.errors import UserError

_POOLS = {"tbb": "tbbpool", "omp": "omppool", "workqueue": "workqueue"}
_ANY_OF_A_KIND = ("default", "safe", "forksafe", "threadsafe")
_TBB = "libtbb.so.12"  # as Numba asks for it
_TURNS = "10000"  # of the loop in which libgomp's threads wait, about 0.2 ms
_CHOSEN_BY_USER = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"


def load() -> None:
    """Load what Numba's threads come from; starts none. NUMBA_THREADING_LAYER takes precedence.

    Raises UserError where that names what Numba does not know, or a pool that cannot be had here.
    """
    asked = (os.environ.get("NUMBA_THREADING_LAYER") or "default").lower()
    if asked == "omp" or not _load_tbb():
        _load_libgomp()
    known = *_POOLS, *_ANY_OF_A_KIND
    if asked not in known:
        raise UserError(f"NUMBA_THREADING_LAYER is {asked!r}; Numba knows {', '.join(known)}")
    if asked in _POOLS:
        try:
            importlib.import_module(f"numba.np.ufunc.{_POOLS[asked]}")
        except ImportError as error:
            raise UserError(
                f"NUMBA_THREADING_LAYER asks for {asked}, which cannot be had here ({error}): "
                "leave it unset, and Numba takes what there is"
            ) from None


def _load_tbb() -> bool:
    """Whether oneTBB is there and Numba takes it. Who has loaded a library finds it by its name."""
    with suppress(PackageNotFoundError, OSError, ImportError):
        for file in files("tbb") or []:
            if file.name == _TBB:
                ctypes.CDLL(str(file.locate()))
                importlib.import_module("numba.np.ufunc.tbbpool")
                return True
    return False


def _load_libgomp() -> None:
    """With this setting, unless the user has chosen one.

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
