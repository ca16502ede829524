"""How a kernel is declared, compiled and launched.

A kernel states the types of its arguments. It is compiled when it is first launched, so importing it
needs neither a driver nor time; and what it states is what the tests compile to PTX without a GPU, and
what the simulator holds every launch against, since that looks at no types by itself.
"""

import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np
from numba import cuda, types
from numba.core import sigutils

from ebmbench.kernels.cuda.availability import SIMULATED
from ebmbench.kernels.cuda.direct import launcher, refuse
from ebmbench.kernels.cuda.memory import with_room

THREADS = 256  # threads of a block, where a kernel names no other number
# A simulated thread is a thread of Python's, and costs about 0.1 ms. Enough of them for a race between
# the halves of a block to show.
_SIMULATED_THREADS = 4

# Small grids are meant: a block may be a chain.
warnings.filterwarnings("ignore", message="Grid size .* under-utilization")


def device(body: Callable[..., Any]) -> Callable[..., Any]:
    """Declare a function of arrays that kernels share; those of scalars are `jit`."""
    if SIMULATED and "cuda" not in body.__code__.co_names:
        return body  # the simulator gives a function its `cuda` at every call, which takes long
    return cuda.jit(device=True)(body)


KERNELS: list["Kernel"] = []


def kernel(signature: str, threads: int = THREADS) -> Callable[[Callable[..., None]], "Kernel"]:
    """Declare a kernel: the types of its arguments, such as "float32[:,::1], int64", and its block size.

    The word `rows` stands for uint8 or float32 and makes two versions of the kernel. Where it occurs
    twice, both are the same.
    """

    def declare(body: Callable[..., None]) -> Kernel:
        declared = Kernel(body, signature, threads)
        KERNELS.append(declared)
        return declared

    return declare


class Kernel:
    """A kernel in one version for each kind of `rows`; call it to launch it."""

    def __init__(self, body: Callable[..., None], signature: str, threads: int) -> None:
        self.body, self.threads = body, threads
        kinds = ("uint8", "float32") if "rows" in signature else ("",)
        self._compiled: dict[int, Any] = {}
        self._texts = [f"void({signature.replace('rows', kind)})" for kind in kinds]
        words = [word.strip() for word in signature.split(", ")]
        # Where the kind of rows is seen, or nowhere.
        self._rows_at = next((n for n, word in enumerate(words) if word.startswith("rows")), None)

    @property
    def name(self) -> str:
        """As `module.function`, the package's own name left out."""
        return f"{self.body.__module__.split('.cuda.')[-1]}.{self.body.__name__}"

    @cached_property
    def signatures(self) -> list[Any]:
        """The types of each version."""
        return [types.void(*sigutils.normalize_signature(text)[0]) for text in self._texts]

    def __call__(self, blocks: int | tuple[int, int], *arguments: Any, threads: int = 0, shared: int = 0):
        """Launch.

        blocks: of the grid; threads: of a block, by default and at most the declared number;
        shared: bytes of dynamic shared memory. Returns at once; the work is in order with all else.
        """
        version = 0
        if self._rows_at is not None:
            version = int(arguments[self._rows_at].dtype == np.float32)
        count = threads or self.threads
        if SIMULATED:
            arguments = self._as_declared(version, arguments)
            count = min(count, _SIMULATED_THREADS)
        with_room(self._launch, version, blocks, count, shared, arguments)

    def _launch(self, version: int, blocks: Any, count: int, shared: int, arguments: tuple) -> None:
        given = blocks, count, shared, arguments
        compiled = self._compiled.get(version)
        if compiled is not None:
            compiled(*given)
            return
        direct, by_numba = self._compile(version)
        if direct is not None:
            with suppress(TypeError, AttributeError):  # a Numba that takes its launches otherwise
                direct(*given)
                self._compiled[version] = direct
                return
        if not SIMULATED:
            refuse(self.name)
        by_numba(*given)
        self._compiled[version] = by_numba

    def _compile(self, version: int) -> tuple[Callable[..., None] | None, Callable[..., None]]:
        """Launches by (blocks, threads, shared, arguments): directly, if that can be, and by Numba."""
        declare: Any = cuda.jit
        if SIMULATED:
            compiled, direct = declare(self.body), None
        else:
            # Without optimisation at link time what runs is what the tests look at.
            compiled = declare(self._texts[version], launch_bounds=self.threads, lto=False)(self.body)
            direct = launcher(compiled, self.signatures[version].args)
        return direct, lambda blocks, count, shared, given: compiled[blocks, count, 0, shared](*given)

    def _as_declared(self, version: int, arguments: tuple) -> tuple:
        """Arrays held against the declared types, scalars turned into them, as a launch does."""
        declared = self.signatures[version].args
        if len(arguments) != len(declared):
            raise TypeError(f"{self.name} takes {len(declared)} arguments, not {len(arguments)}")
        found = []
        for n, (wanted, given) in enumerate(zip(declared, arguments, strict=True)):
            if not isinstance(wanted, types.Array):
                found.append(np.dtype(str(wanted)).type(given))
                continue
            right = hasattr(given, "copy_to_host") and (
                str(given.dtype) == str(wanted.dtype)
                and given.ndim == wanted.ndim
                and given.is_c_contiguous()
            )
            if not right:
                kind = getattr(given, "dtype", type(given))
                raise TypeError(f"argument {n} of {self.name} must be {wanted}, but is of {kind}")
            found.append(given)
        return tuple(found)
