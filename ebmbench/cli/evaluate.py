"""`ebmbench evaluate`: a model's log Z and log-likelihood, by several methods that check each other."""

from typing import Annotated, Any

import typer

from ebmbench.cli.console import steps
from ebmbench.cli.options import Backend, Data, ModelFile, Seed, check_applicable, given
from ebmbench.cli.results import show, show_classified, show_compared
from ebmbench.errors import UserError


def evaluate(
    context: typer.Context,
    model: ModelFile,
    data: Data,
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
            "where at most 20 units are summed over, else parallel_tempering."
        ),
    ] = "auto",
    sweeps: Annotated[int, typer.Option(help="Of that chain or parallel tempering.")] = 1000,
    temperatures: Annotated[int, typer.Option(help="Of that parallel tempering.")] = 40,
    samples: Annotated[int, typer.Option(help="Draws of a DBN's hidden layers for each row.")] = 10,
    seed: Seed = 0,
    backend: Backend = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate log Z and the mean log-likelihood (of Gaussian units: log density) of data, in nats a row.

    A Bayesian network comes normalised: its log-likelihood is exact.
    Of a DBN, a DBM or a general Boltzmann machine a lower bound on it, of a classifier the share of rows
    that it tells wrong, and of a GAN, which has no likelihood, how its samples compare with the data.

    By default from below (AIS), from above (reverse AIS) and between (bridge), since AIS alone flatters a
    model that mixes badly; and exactly where the states to be summed over are few: of an RBM's smaller
    layer, or of all units of a Boltzmann machine, hidden ones too.
    """
    from ebmbench.evaluation import bounds, sandwich
    from ebmbench.kernels import api
    from ebmbench.models.augmented import AugmentedMLP
    from ebmbench.models.gan import GAN
    from ebmbench.models.mlp import MLP
    from ebmbench.models.storage import load_model
    from ebmbench.randomness import check_seed

    settings: dict[str, Any] = {
        "betas": int(betas) if betas.lstrip("-").isdecimal() else betas, "error": error,
        "chains": chains, "start": start, "sweeps": sweeps, "temperatures": temperatures,
    }  # fmt: skip
    methods = list(dict.fromkeys(method)) if method else None
    sandwich.check(methods or sandwich.DEFAULT, settings)
    check_seed(seed)
    k, source = api.load(backend), load_model(model)
    names = given(context)
    facts = {"backend": backend, "seed": seed}
    networks = {MLP.kind: _classify, AugmentedMLP.kind: _classify, GAN.kind: _compare}
    if source.kind in networks:
        energies = {name: (False, "the model has energies") for name in (*settings, "method", "samples")}
        check_applicable(names, energies)
        networks[source.kind](k, source, data, facts, as_json)
        return
    bounded = isinstance(source, bounds.Bounded)
    used = methods or (sandwich.DEFAULT if bounded else sandwich.default_methods(source))
    check_applicable(names, _applicable(used, settings, source))
    _weigh(k, source, data, methods, settings, samples, facts, as_json)


def _classify(k: Any, model: Any, data: str, facts: dict[str, Any], as_json: bool) -> None:
    """How many rows of the data a network tells wrong."""
    from ebmbench import datasets
    from ebmbench.evaluation.classification import classify
    from ebmbench.harness import gate
    from ebmbench.models.kinds import computed_as

    rows, labels = datasets.read_rows(data, real=True)[0], datasets.read_labels(data)
    with steps(1, "checking the kernels") as shown:
        gate.demand(facts["backend"], computed_as(model))
        shown.now("classifying")
        found = classify(k, model, rows, labels)
    show_classified(found, facts, as_json)


def _compare(k: Any, model: Any, data: str, facts: dict[str, Any], as_json: bool) -> None:
    """How a generator's samples compare with rows of the data, beside its training rows."""
    from ebmbench import datasets
    from ebmbench.evaluation.adversarial import evaluate_gan
    from ebmbench.harness import gate
    from ebmbench.models.kinds import computed_as

    rows, source = datasets.read_rows(data, real=model.visible == "real")
    if source is None:
        raise UserError("a GAN is judged beside its training rows: name a data set that has some")
    with steps(1, "checking the kernels") as shown:
        gate.demand(facts["backend"], computed_as(model))
        shown.now("comparing samples with data")
        found = evaluate_gan(k, model, source.train, rows, seed=facts["seed"])
    show_compared(found, facts, as_json)


def _weigh(
    k: Any, model: Any, data: str, methods: list[str] | None, settings: dict[str, Any], samples: int,
    facts: dict[str, Any], as_json: bool,
) -> None:  # fmt: skip
    """The log-likelihood of the data, or its bound."""
    from ebmbench import datasets
    from ebmbench.evaluation import bounds, sandwich
    from ebmbench.harness import gate
    from ebmbench.models.kinds import computed_as
    from ebmbench.models.rows import check_states
    from ebmbench.partition import base_rates

    bounded, seed = isinstance(model, bounds.Bounded), facts["seed"]
    rows, source = datasets.read_rows(data, real=model.visible == "Gaussian")
    if bounded:
        bounds.checked(rows, model)
    else:
        check_states(rows, model)
    trained = source.train if source else rows
    where = f"the train split of {source.name}" if source else "the rows given"
    summed = bounds.normalised(model) if bounded else model
    methods = methods or sandwich.default_methods(summed)
    found = []
    with steps(len(methods), "checking the kernels") as shown:
        gate.demand(facts["backend"], computed_as(model))
        if bounded:
            base = bounds.base_of(k, model, trained, where, seed)
        else:
            base = base_rates(trained, f"base rates of {where}", model.kind)

        def estimates(rows: Any, methods: list[str], settings: dict[str, Any], now: Any) -> Any:
            if bounded:
                return bounds.bounds(k, model, rows, methods, settings, base, samples, seed, now)
            return sandwich.estimates(k, model, rows, methods, settings, base, seed, now)

        # What the gate does not compile for this kind of model, before any clock starts.
        small = settings | {"betas": 2, "chains": 4, "sweeps": 1, "temperatures": 2}
        small["start"] = "parallel_tempering"
        sampled = [name for name in methods if name != "exact"]
        list(estimates(rows[:1], sampled, small, lambda text: None))
        for one in estimates(rows, methods, settings, shown.now):
            shown.advance()
            found.append(one)
    show(sandwich.Sandwich(found), facts, as_json)


def _applicable(methods: list[str], settings: dict[str, Any], model: Any) -> dict[str, tuple[bool, str]]:
    """Which options play a part, see `check_applicable`; `auto` may start in any way."""
    from ebmbench.models.dbn import DBN
    from ebmbench.partition import bridge, exact, reverse_ais
    from ebmbench.partition._schedule import ADAPTIVE
    from ebmbench.partition._start import AUTO, CHAIN, TEMPERING

    annealed = set(methods) != {exact.NAME}
    back = bool({bridge.NAME, reverse_ais.NAME} & set(methods))
    start = settings["start"]
    drawn = isinstance(model, DBN) and len(model.layers) > 1
    return {
        "samples": (drawn, "the model is a DBN of several layers"),
        "betas": (annealed, "the method anneals"),
        "chains": (annealed, "the method anneals"),
        "error": (annealed and settings["betas"] == ADAPTIVE, "--betas is adaptive"),
        "start": (back, "the method is reverse_ais or bridge"),
        "sweeps": (back and start in (AUTO, CHAIN, TEMPERING), "reverse AIS starts from chains"),
        "temperatures": (
            back and start in (AUTO, TEMPERING), "reverse AIS starts from parallel_tempering",
        ),
    }  # fmt: skip
