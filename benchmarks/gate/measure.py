"""One process of one version: `python -m benchmarks.gate.measure speed|quality NAME...` prints JSON.

Names are those of `SPEED` and `QUALITY`. What is printed has one number a name, the median seconds of
some calls, or of quality one number a seed.
"""

import json
import sys
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

# What the gate looks at: methods of benchmarks.kernels.Mnist, ...
SPEED = ("gibbs_50_sweeps", "sml_epoch_of_1000_rows", "ais_200_temperatures")
# ... and figures of benchmarks.quality.Quality with the argument that they take.
QUALITY = {
    "cd-1": ("bars_and_stripes_below_ceiling", ("cd-1",)),
    "sml": ("bars_and_stripes_below_ceiling", ("sml",)),
}
SEEDS = 6
_LEAST_S, _CALLS = 0.3, 9  # of a kernel, a process


def speed(names: Sequence[str]) -> dict[str, Any]:
    """Median seconds of each kernel.

    The kernels take turns, so that a slow spell hits all, for as long as each still needs calls: a kernel
    of a tenth of a second is not called as often as one of a hundredth.
    """
    from benchmarks.kernels import Mnist

    bench = Mnist()
    bench.setup()
    calls: dict[str, Callable[[], Any]] = {name: getattr(bench, f"time_{name}") for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    while wanting := [n for n, x in seconds.items() if len(x) < _CALLS or sum(x) < _LEAST_S]:
        for name in wanting:
            started = perf_counter()
            calls[name]()
            seconds[name].append(perf_counter() - started)
    return {name: float(np.median(taken)) for name, taken in seconds.items()}


def quality(names: Sequence[str]) -> dict[str, Any]:
    """Each figure for every seed."""
    from benchmarks.quality import Quality

    found = {}
    for name in names:
        figure, arguments = QUALITY[name]
        track = getattr(Quality(), f"track_{figure}")
        found[name] = [float(track(*arguments, seed=seed)) for seed in range(SEEDS)]
    return found


if __name__ == "__main__":
    print(json.dumps({"speed": speed, "quality": quality}[sys.argv[1]](sys.argv[2:])))
