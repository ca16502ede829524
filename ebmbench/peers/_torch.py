"""What the jobs in torch share: places, tensors, batches, threads."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ebmbench.peers import Place, Work

# From a function of tensors that stay where they are, and a number of times: what runs it so often.
Prepare = Callable[[Any, Callable[[], None], int], Callable[[], None]]


def missing(place: Place) -> str | None:
    """Why torch cannot run at this place, or None."""
    if place.device == "cuda" and not package().cuda.is_available():
        return "finds no GPU: this torch has no CUDA, or no driver for it"
    return None


def repeated(torch: Any, step: Callable[[], None], times: int) -> Callable[[], None]:
    """A step run so often, one after the other."""

    def run() -> None:
        for _ in range(times):
            step()

    return run


def package() -> Any:
    """torch itself."""
    return importlib.import_module("torch")


def tensor(place: Place, array: np.ndarray) -> Any:
    """A copy of an array there, in the place's precision."""
    torch = package()
    return torch.tensor(array, dtype=getattr(torch, place.precision), device=place.device)


def prepared(prepare: Prepare, step: Callable[[], None], changed: Sequence[Any]) -> Callable[[], None]:
    """What runs one step; preparing may run it, so the tensors that it changes are put back."""
    before = [x.clone() for x in changed]
    run = prepare(package(), step, 1)
    for x, old in zip(changed, before, strict=True):
        x.copy_(old)
    return run


def epoch(
    place: Place, rows: int, batch: int, updates: int, load: Callable[[Any], None],
    step: Callable[[], None], renew: Callable[[], None] = lambda: None,
) -> Callable[[], None]:  # fmt: skip
    """So many updates without a tape: load(numbers of a batch of rows), then step().

    Rows come in a random order, a new one as often as no whole batch is left; before it renew().
    """
    torch = package()

    def batches() -> Iterator[Any]:
        while True:
            renew()
            order = torch.randperm(rows, device=place.device)
            yield from order[: rows // batch * batch].split(batch)

    numbers = batches()

    @torch.no_grad()
    def run() -> None:
        for _ in range(updates):
            load(next(numbers))
            step()

    return run


def _wait(place: Place) -> None:
    if place.device == "cuda":
        package().cuda.synchronize()


def work(place: Place, run: Callable[[], None], shown: Callable[[], dict[str, Any]]) -> Work:
    """A `Work` whose result is these tensors."""

    def result() -> dict[str, np.ndarray]:
        return {name: x.detach().double().cpu().numpy() for name, x in shown().items()}

    return Work(run, partial(_wait, place), result)


def settings(place: Place) -> dict[str, tuple]:
    """All threads or one, where the processor computes; see the package."""
    return {"threads": tuple({package().get_num_threads(): 0, 1: 0})} if place.device == "cpu" else {}


def threaded(builders: dict[str, Callable[..., Work]]) -> dict[str, Callable[..., Work]]:
    """The jobs with a number of threads, which holds while a piece runs."""

    def with_threads(build: Callable[..., Work], *given: Any, threads: int | None = None) -> Work:
        if threads is None:
            return build(*given)
        torch = package()

        def limited(do: Callable[..., Any], *rest: Any) -> Any:
            before = torch.get_num_threads()
            torch.set_num_threads(threads)
            try:
                return do(*rest)
            finally:
                torch.set_num_threads(before)

        made = limited(build, *given)
        return made._replace(run=partial(limited, made.run))

    return {name: partial(with_threads, build) for name, build in builders.items()}
