"""Who waits for the compiler, and for how long: Numba's own events, which tell of every compilation.

What is taken from the cache on disk is no compilation and raises no event.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from numba.core import event


class Compilations(event.Listener):
    """What was compiled while it listened.

    functions: how many, each type of arguments of a function for itself; a function that was compiled for
    another counts, but its seconds only once. places: the files of those that were not, without a folder,
    in the order in which they came; told: called with the place when one of these begins, and with ""
    when it is done.
    """

    def __init__(self, told: Callable[[str], Any] = lambda place: None) -> None:
        self.functions, self.seconds = 0, 0.0
        self.places: list[str] = []
        self._told, self._depth, self._started = told, 0, 0.0

    def on_start(self, event: event.Event) -> None:
        """Numba begins to compile a function."""
        place = event.data["dispatcher"].py_func.__module__.rpartition(".")[2]
        self.functions += 1
        if self._depth == 0:
            if place not in self.places:
                self.places.append(place)
            self._started = perf_counter()
            self._told(place)
        self._depth += 1

    def on_end(self, event: event.Event) -> None:
        """The function is compiled, or could not be."""
        self._depth -= 1
        if self._depth == 0:
            self.seconds += perf_counter() - self._started
            self._told("")


@contextmanager
def watched(told: Callable[[str], Any] = lambda place: None) -> Iterator[Compilations]:
    """Listen to the compiler while the block runs; see `Compilations`."""
    listener = Compilations(told)
    event.register("numba:compile", listener)
    try:
        yield listener
    finally:
        event.unregister("numba:compile", listener)
