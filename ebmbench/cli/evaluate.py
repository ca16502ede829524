"""`ebmbench evaluate`: a model's log Z and log-likelihood, by several methods that check each other."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from ebmbench.cli.console import answer, print_table, steps
from ebmbench.cli.options import Backend, ModelFile, Seed


def evaluate(
    context: typer.Context,
    model: ModelFile,
    data: Annotated[
        str, typer.Option(help="A file, or NAME[:train|:test] of a data set (test if not said).")
    ],
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this method: ais, bridge, reverse_ais or exact; may be given several times."
        ),
    ] = None,
    betas: Annotated[
        str, typer.Option(help="Temperatures: a number, evenly spaced, or `paper`, or `adaptive`.")
    ] = "1000",
    error: Annotated[float, typer.Option(help="Standard error that `adaptive` is to reach, nats.")] = 0.1,
    chains: Annotated[int, typer.Option(help="Chains each way; bridge takes half of both.")] = 100,
    start: Annotated[
        str,
        typer.Option(
            help="What reverse AIS starts from: exact, parallel_tempering, chain, or auto: exact "
            "where the smaller layer has at most 20 units, else parallel_tempering."
        ),
    ] = "auto",
    sweeps: Annotated[int, typer.Option(help="Of that chain or parallel tempering.")] = 1000,
    temperatures: Annotated[int, typer.Option(help="Of that parallel tempering.")] = 40,
    seed: Seed = 0,
    backend: Backend = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate log Z and the mean log-likelihood (of Gaussian units: log density) of data, in nats a row.

    By default from below (AIS), from above (reverse AIS) and between (bridge), and exactly where the
    smaller layer can be enumerated, since AIS alone flatters a model that mixes badly.
    """
    from ebmbench import datasets
    from ebmbench.evaluation import sandwich
    from ebmbench.harness import gate
    from ebmbench.kernels import api
    from ebmbench.models.gaussian_rbm import GaussianRBM
    from ebmbench.models.rows import check_states
    from ebmbench.models.storage import load_model
    from ebmbench.partition import base_rates
    from ebmbench.randomness import check_seed

    settings: dict[str, Any] = {
        "betas": int(betas) if betas.lstrip("-").isdecimal() else betas, "error": error,
        "chains": chains, "start": start, "sweeps": sweeps, "temperatures": temperatures,
    }  # fmt: skip
    methods = list(dict.fromkeys(method)) if method else None
    sandwich.check(methods or sandwich.DEFAULT, settings)
    given = {name for name in settings if str(context.get_parameter_source(name)).endswith("COMMANDLINE")}
    _check_applicable(given, methods or sandwich.DEFAULT, settings)
    check_seed(seed)
    loaded = api.load(backend)
    rbm = load_model(model)
    rows, source = datasets.read_rows(data, real=isinstance(rbm, GaussianRBM))
    check_states(rows, rbm)
    base = (
        base_rates(source.train, f"base rates of the train split of {source.name}", rbm.kind)
        if source
        else base_rates(rows, "base rates of the rows given", rbm.kind)
    )
    methods = methods or sandwich.default_methods(rbm)
    found = []
    with steps(len(methods), "checking the kernels") as shown:
        gate.demand(backend)
        # What the gate does not compile for this kind of model, before any clock starts.
        small = settings | {"betas": 2, "chains": 4, "sweeps": 1, "temperatures": 2}
        small["start"] = "parallel_tempering"
        sampled = [name for name in methods if name != "exact"]
        sandwich.sandwich(loaded, rbm, rows[:1], sampled, small, base, seed)
        for one in sandwich.estimates(loaded, rbm, rows, methods, settings, base, seed, shown.now):
            shown.advance()
            found.append(one)
    result = sandwich.Sandwich(found)
    if as_json:
        print(json.dumps(_fields(result, backend, seed), indent=2))
    else:
        _print(result)


def _check_applicable(given: set[str], methods: list[str], settings: dict[str, Any]) -> None:
    """`UserError` for an option that was given and plays no part; `auto` may start in any way."""
    from ebmbench.options import require
    from ebmbench.partition import bridge, exact, reverse_ais
    from ebmbench.partition._schedule import ADAPTIVE
    from ebmbench.partition._start import AUTO, CHAIN, TEMPERING

    annealed = set(methods) != {exact.NAME}
    back = bool({bridge.NAME, reverse_ais.NAME} & set(methods))
    start = settings["start"]
    applies = {
        "betas": (annealed, "the method anneals"),
        "chains": (annealed, "the method anneals"),
        "error": (annealed and settings["betas"] == ADAPTIVE, "--betas is adaptive"),
        "start": (back, "the method is reverse_ais or bridge"),
        "sweeps": (back and start in (AUTO, CHAIN, TEMPERING), "reverse AIS starts from chains"),
        "temperatures": (
            back and start in (AUTO, TEMPERING), "reverse AIS starts from parallel_tempering",
        ),
    }  # fmt: skip
    for name, (applied, where) in applies.items():
        require(applied or name not in given, f"--{name} has a meaning only where {where}")


def _print(result: Any) -> None:
    table = Table(box=None, header_style="bold")
    for heading in ("method", "log Z", "std. error", "ESS", "nats a row", "rows", "seconds"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for one in result.estimates:
        z = one.log_z
        table.add_row(
            z.method,
            f"{z.log_z:.3f}",
            f"{z.std_error:.3f}" if z.schedule else "exact",
            f"{z.ess:.1f}" if z.ess else "",
            f"{one.mean:.3f}",
            str(one.n_rows),
            f"{one.seconds:.2f}",
        )
    print_table(table)
    annealed = [one.log_z for one in result.estimates if one.log_z.schedule]
    for z in annealed[:1]:  # all share one schedule and one base
        answer.print(f"annealing: {z.schedule}, between the model and {z.base}")
    starts = dict.fromkeys(z.start for z in annealed if z.start)
    if result.verdict:
        answer.print(result.verdict)
    else:
        for start in starts:
            answer.print(f"chains that walk back start from {start}")


def _fields(result: Any, backend: str, seed: int) -> dict[str, Any]:
    return {
        "estimates": [
            {
                "method": one.log_z.method,
                "log_z": one.log_z.log_z,
                "log_z_std_error": one.log_z.std_error,
                "ess": one.log_z.ess,
                "mean_log_likelihood": one.mean,
                "n_rows": one.n_rows,
                "seconds": one.seconds,
                "schedule": one.log_z.schedule,
                "error_reached": one.log_z.reached,
                "chains": len(one.log_z.log_weights) or None,
                "base": one.log_z.base,
                "start": one.log_z.start,
            }
            for one in result.estimates
        ],
        "gap": result.gap,
        "resolved": result.resolved,
        "verdict": result.verdict,
        "backend": backend,
        "seed": seed,
    }
