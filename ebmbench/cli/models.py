"""`ebmbench train` and `sample`: one model at a time."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ebmbench.cli.console import answer, busy, steps

Backend = Annotated[str, typer.Option(help="Where to compute: reference, cpu or cuda.")]
Seed = Annotated[int, typer.Option(help="Of all random numbers, 0 to 4294967295.")]
ModelFile = Annotated[Path, typer.Argument(help="An .npz file with W, b, c (and precision).")]


def train(
    dataset: Annotated[str, typer.Option(help="A data set's name, or an .npz, .npy or .csv file.")] = (
        "digits"
    ),
    estimator: Annotated[str, typer.Option(help="How to train; see `ebmbench list`.")] = "cd",
    hidden: Annotated[int, typer.Option(help="Number of hidden units.")] = 64,
    epochs: Annotated[int, typer.Option(help="Passes over the data.")] = 50,
    backend: Backend = "cpu",
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="The model's file, .npz.")] = Path("model.npz"),
    k: Annotated[int | None, typer.Option("--k", help="Gibbs sweeps an update.")] = None,
    chains: Annotated[int | None, typer.Option(help="Persistent chains or ladders.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Another setting of the estimator, NAME=VALUE, such as temperatures=20; "
            "may be given several times.",
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Rows a batch.")] = 100,
    rate: Annotated[float, typer.Option("--rate", "--learning-rate", help="Step size.")] = 0.05,
    momentum: Annotated[float, typer.Option(help="Of the updates, in [0, 1).")] = 0.5,
    denoising: Annotated[
        float | None, typer.Option(help="Standard deviation of the noise (score_matching); 0: no noise.")
    ] = None,
    visible: Annotated[str, typer.Option(help="The visible units: binary or gaussian.")] = "binary",
    precision: Annotated[
        str, typer.Option(help="Of gaussian units: learned, or fixed at that of the data's columns.")
    ] = "learned",
    decay: Annotated[float, typer.Option(help="Weight decay of W.")] = 0.0,
    schedule: Annotated[str, typer.Option(help="Of the rate: constant or linear.")] = "constant",
    centred: Annotated[bool, typer.Option("--centred", help="Use the centred gradient.")] = False,
) -> int:
    """Train an RBM and write its parameters."""
    from ebmbench import datasets
    from ebmbench.files import check_writable
    from ebmbench.kernels import api
    from ebmbench.models.storage import save_model
    from ebmbench.options import parse, require
    from ebmbench.training.fit import PRECISIONS, STARTS, Diverged, Fit, check_units
    from ebmbench.training.sgd import SGD

    given = {"k": k, "chains": chains, "denoising": denoising}
    settings = {name: value for name, value in given.items() if value is not None}
    for name, value in map(parse, setting or []):
        require(name not in settings, f"{name} is given twice")
        settings[name] = value
    check_units(visible, precision)
    gaussian, fixed = visible == "gaussian", PRECISIONS[precision]
    optimiser = SGD(rate, momentum, decay, schedule, centred)
    loaded = api.load(backend)
    check_writable(out, Path(dataset))
    data = datasets.load(dataset, real=gaussian)
    start = STARTS[visible](data.train, hidden, seed)
    fit = Fit(loaded, start, data.train, estimator, settings, optimiser, epochs, batch_size, seed, fixed)
    with steps(epochs, f"training on {dataset}") as shown:
        try:
            for _ in range(epochs):
                fit.advance(fit.batches)
                shown.advance()
            model = fit.model
        except Diverged as error:
            shown.line(f"ebmbench: training diverged, {error}; try a smaller --rate; {out} not written")
            return 1
    facts: dict[str, Any] = {
        "dataset": dataset, "estimator": estimator, **settings, "hidden": hidden, "epochs": epochs,
        "backend": backend, "seed": seed, "batch_size": batch_size, "rate": rate,
        "momentum": momentum, "decay": decay, "schedule": schedule, "centred": centred,
        "visible": visible, **({"precision": precision} if gaussian else {}),
    }  # fmt: skip
    told = f"{out}: {model.n_visible}x{hidden}, {fit.done} updates by {estimator} on {backend}"
    if "learned_log_z" in fit.info:
        facts["learned_log_z"] = fit.info["learned_log_z"]
        told += f", learned log Z {facts['learned_log_z']:.3f}"
    if "swap_rates" in fit.info:
        rates = fit.info["swap_rates"]
        facts["swap_rates"] = rates.tolist()
        told += f", swap rates from {rates.min():.2f} to {rates.max():.2f}"
    save_model(out, model, facts)
    answer.print(told)
    return 0


def sample(
    model: ModelFile,
    out: Annotated[
        Path, typer.Option(help="A picture (.png, .svg, .pdf) or the rows (.npz, .npy).")
    ] = Path("samples.png"),
    count: Annotated[int, typer.Option(help="Number of samples, each from a chain of its own.")] = 100,
    sweeps: Annotated[int, typer.Option(help="Gibbs sweeps before a chain is looked at.")] = 1000,
    dataset: Annotated[
        str | None, typer.Option(help="Draw rows as this data set's pictures are drawn.")
    ] = None,
    seed: Seed = 0,
    backend: Backend = "cpu",
) -> None:
    """Sample from a model by block Gibbs sampling, and draw or save what comes."""
    from ebmbench import datasets
    from ebmbench.evaluation.samples import check_suffix, draw, picture_shape, save
    from ebmbench.files import check_writable
    from ebmbench.kernels import api
    from ebmbench.models.gaussian_rbm import GaussianRBM
    from ebmbench.models.storage import load_model
    from ebmbench.randomness import check_seed

    loaded = api.load(backend)
    rbm = load_model(model)
    like = datasets.load(dataset, real=isinstance(rbm, GaussianRBM)) if dataset else None
    shape = picture_shape(
        rbm.n_visible, like.image_shape if like else None, like.image_order if like else "C"
    )
    check_suffix(out)
    check_writable(out, model)
    with busy(f"{count} chains, {sweeps} sweeps"):
        rows = draw(loaded, rbm, count, sweeps, check_seed(seed))
    save(out, rows, shape)
    answer.print(f"{out}: {count} samples after {sweeps} sweeps")
