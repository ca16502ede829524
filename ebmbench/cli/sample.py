"""`ebmbench sample`: rows drawn from a model, as a picture or as an array."""

from pathlib import Path
from typing import Annotated

import typer

from ebmbench.cli.console import answer, busy
from ebmbench.cli.options import Backend, ModelFile, Seed, check_applicable, given


def sample(
    context: typer.Context,
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
    """Sample from a model by block Gibbs sampling, and draw or save what comes.

    Of a DBN the top RBM is sampled, and what comes passes down through the other layers. A Bayesian
    network is drawn unit after unit, each given its parents, and a GAN makes its samples of noise.
    """
    from ebmbench import datasets
    from ebmbench.evaluation.samples import check_kind, check_suffix, draw, picture_shape, save
    from ebmbench.files import check_writable
    from ebmbench.kernels import api
    from ebmbench.models.bayes_net import BayesNet
    from ebmbench.models.gan import GAN
    from ebmbench.models.storage import load_model
    from ebmbench.randomness import check_seed

    loaded = api.load(backend)
    source = load_model(model)
    check_kind(source)
    how = {GAN.kind: "of noise", BayesNet.kind: "each drawn by itself"}.get(source.kind)
    walks = how is None
    drawn = out.suffix.lower() not in (".npz", ".npy")
    needs = {
        "sweeps": (walks, "the model is sampled by chains"), "dataset": (drawn, "a picture is drawn"),
    }  # fmt: skip
    check_applicable(given(context), needs)
    real = source.visible in ("Gaussian", "real")
    like = datasets.load(dataset, real=real) if dataset else None
    shape = picture_shape(source.n_visible, like)
    check_suffix(out)
    check_writable(out, model)
    how = how or f"after {sweeps} sweeps"
    with busy(f"{count} samples {how}"):
        rows = draw(loaded, source, count, sweeps, check_seed(seed))
    save(out, rows, shape)
    answer.print(f"{out}: {count} samples {how}")
