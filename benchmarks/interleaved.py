"""Comparing systems that do the same job: turns within a process, processes as samples, ratios.

Every process runs all systems in turn (A B C, C B A, ...); its sample is the median of each one's turns.
The figures are medians over processes of the ratio to the first system, with the smallest and the
largest.
"""

import json
import os
import subprocess
import sys
from time import perf_counter, sleep

import numpy as np

REST_S = 0.2  # until the threads of the system before have stopped spinning


def build(builders, *given):
    """The systems whose package is there, by name; those that are missing are told."""
    systems = {}
    for name, builder in builders.items():
        try:
            systems[name] = builder(*given)
        except ModuleNotFoundError as error:
            print(f"# {name} left out: {error}", file=sys.stderr)
    return systems


def measure(systems, work, turns, steps):
    """Median milliseconds a step of each; systems: name -> f(list of inputs), work() -> one input."""
    times = {name: [] for name in systems}
    for turn in range(-1, turns):  # turn -1 warms up
        for name in list(systems)[:: 1 if turn % 2 else -1]:
            inputs = [work() for _ in range(steps + 5)]
            sleep(REST_S)
            systems[name](inputs[steps:][: max(1, steps // 10)])
            started = perf_counter()
            systems[name](inputs[:steps])
            if turn >= 0:
                times[name].append((perf_counter() - started) / steps * 1e3)
    return {name: float(np.median(values)) for name, values in times.items()}


def samples(module, processes, *arguments):
    """What `python -m module --one ...` prints as JSON, once a process."""
    # A peer's BLAS shall choose its kernels for this processor, whatever the shell says.
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    found = []
    for _ in range(processes):
        done = subprocess.run(
            [sys.executable, "-m", module, "--one", *arguments],
            check=True, capture_output=True, text=True, env=environment,
        )  # fmt: skip
        found.append(json.loads(done.stdout))
    return found


def print_ratios(title, times):
    """A table of one job: times is a list of {system: milliseconds}, one a process, ours first."""
    first = next(iter(times[0]))
    print(title)
    print(f"{'system':22}{'ms a step':>12}{f'ratio to {first} (least to most)':>40}")
    for system in times[0]:
        ratios = [one[system] / one[first] for one in times]
        ms = np.median([one[system] for one in times])
        print(f"{system:22}{ms:12.3f}{np.median(ratios):18.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
