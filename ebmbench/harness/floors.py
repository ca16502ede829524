"""The least seconds that the plain dense algorithm takes on a device, by what was measured of it."""

from typing import Any

from ebmbench.harness import ceilings
from ebmbench.harness.jobs import Cost

# By arithmetic: the precision its floor is of, bytes of a weight, and products that make up one.
WAYS = {
    "float": ("float32", 4, 1),
    "grid": ("float32", 4, 1),
    "bfloat16": ("bfloat16", 2, 1),
    "bfloat16x2": ("bfloat16", 4, 2),
}


def floor(backend: str, cost: Cost | None, arithmetic: str, threads: int = 0) -> dict[str, Any]:
    """The floor of a piece of work in seconds, which ceiling says so, and both; None where not known.

    threads: of the processor, as in `ceilings.measure`.
    """
    if cost is None:
        names = "operations", "bytes", "floor_s", "bound", "operations_per_s", "copy_per_s"
        return dict.fromkeys(names)
    top = ceilings.measure(backend, threads)
    precision, size, products = WAYS[arithmetic]
    rate = getattr(top, precision)
    operations = cost.operations * products
    moved = cost.weights * size + cost.other_bytes
    found = {"operations": operations, "bytes": moved, "floor_s": None, "bound": None}
    found |= {"operations_per_s": rate, "copy_per_s": top.copy}
    if rate is None or top.copy is None:
        return found
    times = {"operations": operations / rate, "bytes": moved / top.copy}
    bound = max(times, key=times.__getitem__)
    return found | {"floor_s": times[bound], "bound": bound}
