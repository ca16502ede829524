"""A process of its own whose start is measured: from nothing to a job's first and further calls.

Run as `python -m ebmbench.harness.first_call JOB BACKEND N_VISIBLE N_HIDDEN CHAINS`; prints one line of
JSON. Nothing but the standard library may be imported at the top, since imports are what is clocked.
"""

import json
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

AGAIN = 5  # further calls, of which the median counts
_SWEEPS, _BETAS = 10, 10


def _gibbs(k: Any, model: Any, chains: int) -> Callable[[], Any]:
    """Some sweeps of all chains."""
    from ebmbench.harness import made_up
    from ebmbench.randomness import Key, Stream

    handle, rows = k.put(model), k.put_rows(made_up.rows(chains, model.n_visible))
    return lambda: k.gibbs(handle, rows, _SWEEPS, Key(0, Stream.CHAINS))


def _sml(k: Any, model: Any, chains: int) -> Callable[[], Any]:
    """An update of SML-1 from a batch of as many rows as there are chains."""
    from ebmbench.harness import made_up
    from ebmbench.training.fit import Fit
    from ebmbench.training.sgd import SGD

    rows = made_up.rows(chains, model.n_visible)
    fit = Fit(k, model, rows, "sml", {"chains": chains}, SGD(1e-6, 0.5), 1 + AGAIN, chains, 0)
    return lambda: fit.advance(1)


def _ais(k: Any, model: Any, chains: int) -> Callable[[], Any]:
    """Annealing all chains over a few temperatures."""
    import numpy as np

    from ebmbench.harness import made_up
    from ebmbench.partition import base_rates
    from ebmbench.randomness import Key, Stream

    base = base_rates(made_up.rows(chains, model.n_visible), "made-up rows")
    handle, betas = k.put(model), np.linspace(0.0, 1.0, _BETAS)
    return lambda: k.anneal(handle, base.bias, betas, chains, Key(0, Stream.ANNEALING))


JOBS = {"gibbs": _gibbs, "sml": _sml, "ais": _ais}


def main(job: str, backend: str, n_visible: str, n_hidden: str, chains: str) -> None:
    """Clock each stage of the start; functions: those that the first call compiled."""
    stages: dict[str, float] = {}
    last = perf_counter()

    def finished(stage: str) -> None:
        nonlocal last
        now = perf_counter()
        stages[stage] = now - last
        last = now

    import numba  # noqa: F401

    finished("numba_s")
    from ebmbench.kernels import api

    k = api.load(backend)
    finished("backend_s")
    from ebmbench.harness import made_up
    from ebmbench.harness.compiling import watched

    with watched() as found:
        work = JOBS[job](k, made_up.model(int(n_visible), int(n_hidden)), int(chains))
        k.synchronize()
        finished("inputs_s")
        work()
        k.synchronize()
        finished("first_s")
    again = []
    for _ in range(AGAIN):
        work()
        k.synchronize()
        finished("again_s")
        again.append(stages["again_s"])
    stages["again_s"] = sorted(again)[AGAIN // 2]
    print(json.dumps(stages | {"functions": found.functions, "compiler_s": found.seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
