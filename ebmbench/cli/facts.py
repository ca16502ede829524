"""`ebmbench list` and `ebmbench doctor`: what there is, and whether it works here."""

import json
import os
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ebmbench.cli.console import answer, busy

_ARITHMETICS = {
    "float": "float32 as it comes",
    "grid": "multiples of 2**-16, so that sums over binary states are exact in any order",
    "bfloat16": "each weight as one bfloat16 number",
    "bfloat16x2": "each weight as the sum of two bfloat16 numbers",
}

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def list_names(as_json: Json = False) -> None:
    """List suites, data sets, estimators, ways to log Z, backends, arithmetics, jobs and peers."""
    from ebmbench import datasets, estimators, partition, peers
    from ebmbench.harness import spec
    from ebmbench.harness.jobs import JOBS
    from ebmbench.kernels import api

    def first_line(module: Any) -> str:
        return (module.__doc__ or "").strip().splitlines()[0]

    found: dict[str, dict[str, str]] = {
        "suites": {name: spec.load(name).title for name in spec.known_suites()},
        "datasets": {name: datasets.describe(name) for name in datasets.names()},
        "estimators": {name: first_line(module) for name, module in estimators.known().items()},
        "methods": {name: first_line(module) for name, module in partition.known().items()},
        "backends": {name: _state(name) for name in api.BACKENDS},
        "arithmetics": {name: _ARITHMETICS[name] for name in api.ARITHMETICS},
        "jobs": {name: f"by default {job().label}" for name, job in JOBS.items()},
        "peers": {name: peers.describe(name) for name in peers.known()},
    }
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for title, entries in found.items():
        table = Table(title=title, title_justify="left", show_header=False, box=None)
        for name, text in entries.items():
            table.add_row(name, escape(text))
        answer.print(table, "")


def doctor(as_json: Json = False) -> int:
    """Describe this machine, and check every backend against the reference."""
    from ebmbench.compile import cache_folder
    from ebmbench.harness import machine
    from ebmbench.kernels import api

    found: dict[str, Any] = dict(machine.facts())
    folder = cache_folder()
    found["compiled_kernels"] = (
        str(folder) if folder else "no folder can be written, so every start compiles"
    )
    data = os.environ.get("EBMBENCH_DATA")
    found["EBMBENCH_DATA"] = data or "not set; MNIST is fetched when it is asked for"
    backends = {}
    with busy("checking the backends against the reference"):
        for name in api.BACKENDS:
            backends[name] = _state(name)
            if backends[name] == api.READY:
                backends[name] = _checked(name)
    found["backends"] = backends
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        table = Table(show_header=False, box=None)
        for name, value in found.items():
            for label, text in _lines(name, value):
                table.add_row(escape(label), escape(text))
        answer.print(table)
    return 1 if any(state.startswith("red") for state in backends.values()) else 0


def _state(name: str) -> str:
    from ebmbench.kernels import api

    state = api.state(name)
    if state == api.READY and api.load(name).name != name:
        return (
            "simulated (NUMBA_ENABLE_CUDASIM): kernels run slowly as Python on the host, "
            "and rows made with them carry no times"
        )
    return state


def _checked(name: str) -> str:
    from ebmbench.errors import DeviceError
    from ebmbench.harness import gate

    try:
        gate.demand(name)
    except (DeviceError, gate.Red) as error:
        return f"red: {error}"
    return "agrees with the reference"


def _lines(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [(f"{name}: {key}", str(text)) for key, text in value.items()]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [
            (name, ", ".join(f"{k} {v}" for k, v in entry.items() if v is not None)) for entry in value
        ]
    return [(name, ", ".join(value) if isinstance(value, list) else str(value))]
