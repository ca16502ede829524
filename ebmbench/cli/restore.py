"""`ebmbench restore`: rows of which something is lost, restored by a model, and how well."""

from pathlib import Path
from typing import Annotated

import typer

from ebmbench.cli.console import answer, steps
from ebmbench.cli.options import Backend, Data, ModelFile, Seed, check_applicable, given
from ebmbench.cli.results import show_restored
from ebmbench.options import require


def restore(
    context: typer.Context,
    model: ModelFile,
    data: Data,
    flip: Annotated[
        float | None, typer.Option(help="Turn each bit over with this probability, at most 0.5.")
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(help="Add normal noise of this standard deviation, in the data's unit."),
    ] = None,
    missing: Annotated[
        float | None, typer.Option(help="Lose each unit with this probability, at most 1.")
    ] = None,
    half: Annotated[
        str | None, typer.Option(help="Lose half of each picture: upper, lower, left or right.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A picture (.png, .svg, .pdf) of rows as they were, damaged and restored, or of all "
            "rows each unit's mean, which is a bit's probability of 1 (.npz, .npy)."
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="Rows in that picture.")] = 24,
    sweeps: Annotated[
        int,
        typer.Option(
            help="Gibbs sweeps of each row's chain; their second half counts. Where half of them or "
            "twice as many change the result, a chain needs more."
        ),
    ] = 200,
    seed: Seed = 0,
    backend: Backend = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Denoise rows, or fill in what is missing, by Gibbs sampling given what is left.

    Says how many bits are restored wrongly, or of Gaussian units how far off they are, beside the base
    rates of pixels that know nothing of each other. Any model that has a Gibbs sampler does it: an RBM,
    with binary or Gaussian visible units, a DBM, a Boltzmann machine with hidden units or without, a
    Markov field or a Bayesian network.
    """
    from ebmbench import datasets
    from ebmbench.evaluation import damage, restoration, samples
    from ebmbench.files import check_writable
    from ebmbench.harness import gate
    from ebmbench.kernels import api
    from ebmbench.models.kinds import computed_as
    from ebmbench.models.storage import load_model
    from ebmbench.partition import base_rates

    asked = {"flip": flip, "noise": noise, "missing": missing, "half": half}
    ways = [(way, amount) for way, amount in asked.items() if amount is not None]
    sentence = "say what is lost: one of --flip 0.1, --noise 0.3, --missing 0.5 and --half lower"
    require(len(ways) == 1, sentence)
    drawn = out is not None and out.suffix.lower() in samples.PICTURES
    check_applicable(given(context), {"count": (drawn, "--out is a picture")})
    require(count >= 1, f"the number of rows in the picture must be at least 1, but is {count}")
    if out is not None:
        samples.check_suffix(out)
        check_writable(out, model, Path(data.removesuffix(":test").removesuffix(":train")))
    k, source = api.load(backend), load_model(model)
    restoration.check_restores(source)
    real = source.visible == "Gaussian"
    rows, data_set = datasets.read_rows(data, real)
    shape = samples.picture_shape(source.n_visible, data_set)
    damaged = damage.damaged(rows, *ways[0], shape, seed, real)
    if data_set:
        least = damage.LEAST_VARIANCE_BESIDE
        base = base_rates(data_set.train, f"the train split of {data_set.name}", source.kind, least)
    else:  # of the very units that are to be restored it must know nothing
        base = damage.base_left(damaged, "what is left of the rows given")
    restoration.check(source, damaged, base, sweeps, seed)
    with steps(len(rows), "checking the kernels") as shown:
        gate.demand(backend, computed_as(source))
        shown.now("restoring")
        found = restoration.restore(k, source, damaged, base, sweeps, seed, shown.advance)
    facts = {"base": base.source, "sweeps": sweeps, "backend": backend, "seed": seed}
    show_restored(found, facts, as_json)
    if out is None:
        return
    what = "means" if real else "probabilities"
    if drawn:
        what = "rows as they were, damaged and restored"
        samples.save_triples(out, rows[:count], damaged.seen[:count], found.means[:count], shape)
    else:
        samples.save(out, found.means, shape)
    if not as_json:
        answer.print(f"{out}: {what}")
