"""`ebmbench train`: one model, from its data to its file, with checkpoints."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ebmbench.cli.console import Steps, answer, console, steps
from ebmbench.cli.options import Backend, Seed, check_applicable, given


def train(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Option(
            help="What to train: rbm, boltzmann_machine, general_boltzmann_machine, markov_field, "
            "bayes_net, dbn, dbm, mlp or gan."
        ),
    ] = "rbm",
    dataset: Annotated[str, typer.Option(help="A data set's name, or an .npz, .npy or .csv file.")] = (
        "digits"
    ),
    estimator: Annotated[
        str,
        typer.Option(
            help="How to train models of energies; see `ebmbench list`.  "
            r"\[cd; boltzmann_machine, markov_field: pseudolikelihood; bayes_net: exact]",
            show_default=False,
        ),
    ] = "cd",
    hidden: Annotated[
        list[str] | None,
        typer.Option(
            help="Hidden units; of several layers as 500,1000, or given several times.  "
            r"\[64; dbn, dbm, mlp: 64,64; gan: 256,256]"
        ),
    ] = None,
    epochs: Annotated[
        list[str] | None,
        typer.Option(help="Passes over the data; of dbn and dbm for all layers or one each.  [50]"),
    ] = None,
    backend: Backend = "cpu",
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="The model's file, .npz.")] = Path("model.npz"),
    checkpoint: Annotated[
        Path | None, typer.Option(help="Keep the run in this file, and go on from it if it is there.")
    ] = None,
    every: Annotated[int, typer.Option(help="Epochs between two checkpoints.")] = 1,
    start: Annotated[
        Path | None,
        typer.Option(
            help="A model's file: an RBM, DBN or DBM to begin an mlp with, a DBM to train jointly."
        ),
    ] = None,
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
    rate: Annotated[
        list[str] | None,
        typer.Option(
            "--rate",
            "--learning-rate",
            help="Step size; of dbn and dbm as --epochs.  [0.05; mlp: 0.001, with sgd 0.1; gan: 0.0002; "
            "general_boltzmann_machine: 0.02]",
        ),
    ] = None,
    momentum: Annotated[float, typer.Option(help="Of the updates, in [0, 1).")] = 0.5,
    denoising: Annotated[
        float | None, typer.Option(help="Standard deviation of the noise (score_matching); 0: no noise.")
    ] = None,
    visible: Annotated[str, typer.Option(help="The visible units: binary or gaussian.")] = "binary",
    precision: Annotated[
        str, typer.Option(help="Of gaussian units: learned, or fixed at that of the data's columns.")
    ] = "learned",
    decay: Annotated[float, typer.Option(help="Weight decay, of couplings and not of biases.")] = 0.0,
    schedule: Annotated[str, typer.Option(help="Of the rate: constant or linear.")] = "constant",
    centred: Annotated[bool, typer.Option("--centred", help="Use the centred gradient.")] = False,
    joint_epochs: Annotated[
        int, typer.Option(help="Of a dbm's layers together, after those of --epochs; 0: none.")
    ] = 50,
    joint_rate: Annotated[float, typer.Option(help="Step size while they are trained together.")] = 0.01,
    sweeps: Annotated[
        int,
        typer.Option(help="Gibbs sweeps an update, meanwhile and of a general_boltzmann_machine."),
    ] = 5,
    mean_field: Annotated[int, typer.Option(help="Likewise mean-field updates an update.")] = 10,
    activation: Annotated[
        str, typer.Option(help="Of an mlp's hidden units: sigmoid, tanh, relu or leaky_relu.")
    ] = "relu",
    optimiser: Annotated[str, typer.Option(help="Of an mlp: adam or sgd.")] = "adam",
    dropout: Annotated[
        list[str] | None,
        typer.Option(
            help="Share of units left out of an update, of an mlp's hidden layers or a gan's "
            "discriminator's; or one each with the input's first, as 0.2,0.5.  [0]"
        ),
    ] = None,
    latent: Annotated[int, typer.Option(help="Units of the noise that a gan makes rows of.")] = 100,
    form: Annotated[
        str, typer.Option(help="What a gan's generator climbs: non_saturating or minimax.")
    ] = "non_saturating",
    noise: Annotated[
        float,
        typer.Option(
            help="Instance noise: standard deviation of what is added to all that a gan's discriminator "
            "sees, in the data's unit."
        ),
    ] = 0.0,
    averaging: Annotated[
        float,
        typer.Option(
            help="Keep a mean of a gan's generator over its updates, not the last one (0): 1 counts all "
            "alike, less than 1 later ones more."
        ),
    ] = 0.0,
    reach: Annotated[
        float,
        typer.Option(
            help="How far away the pixels are that a markov_field's hear: 1 joins 4 neighbours, 1.5 "
            "8, 2.3 20."
        ),
    ] = 1.5,
) -> int:
    """Train a model of one of many kinds, by default an RBM, and write its parameters.

    Or a general Boltzmann machine, all of whose units are joined, hidden ones too. Or a model without
    hidden units: a Boltzmann machine, all of whose units are joined, a Markov field, whose pixels hear
    those near them, or a Bayesian network in the order of the data's columns, each unit a logistic
    regression on those before it.

    A DBM's layers are trained one upon the other for --epochs, 0 for none, and then together. A GAN's
    discriminator has the generator's hidden layers the other way about.
    """
    from ebmbench.cli import recipes
    from ebmbench.cli.recipes._run import Options
    from ebmbench.discovery import unknown
    from ebmbench.files import check_writable
    from ebmbench.kernels import api
    from ebmbench.models.storage import save_model
    from ebmbench.options import require
    from ebmbench.training.ascent import Diverged
    from ebmbench.training.checkpoint import Checkpoint

    names = given(context)
    if model not in recipes.known():
        raise unknown("model", model, list(recipes.known()))
    require(every >= 1, f"the epochs between two checkpoints must be at least 1, but are {every}")
    kept = (checkpoint is not None, "--checkpoint names a file")
    check_applicable(names, {**recipes.applicable(model), "every": kept})
    options = Options(
        given=names, dataset=dataset, estimator=estimator, hidden=hidden, epochs=epochs, k=k,
        chains=chains, setting=setting, denoising=denoising, visible=visible, precision=precision,
        batch_size=batch_size, rate=rate, momentum=momentum, decay=decay, schedule=schedule,
        centred=centred, joint_epochs=joint_epochs, joint_rate=joint_rate, sweeps=sweeps,
        mean_field=mean_field, start=start, activation=activation, optimiser=optimiser,
        dropout=dropout, latent=latent, form=form, noise=noise, averaging=averaging,
        reach=reach, seed=seed,
    )  # fmt: skip
    loaded = api.load(backend)
    sources = [Path(dataset), *([start] if start else [])]
    check_writable(out, *sources)
    require(out.suffix == ".npz", f"--out must end in .npz, but is {out}")
    if checkpoint:
        check_writable(checkpoint, *sources)
        require(checkpoint.resolve() != out.resolve(), f"{out} cannot be the checkpoint and the model")
    run = recipes.known()[model].make(options, loaded)
    facts = {**run.facts, "backend": backend}
    kept_in = Checkpoint(checkpoint, {"model": model, **facts, **run.data}) if checkpoint else None
    trainer = run.trainer
    try:
        text = f"training on {dataset}"
        with steps(trainer.steps // trainer.batches, text) as shown:
            _train(trainer, kept_in, every, shown, text)
            found = run.finished(trainer.model)
    except Diverged as error:
        left = f"; {checkpoint} is the last good checkpoint" if checkpoint and checkpoint.exists() else ""
        console.print(
            f"ebmbench: training diverged, {error}; try a smaller {_rate_of(model, trainer)}; "
            f"{out} not written{left}",
            markup=False, highlight=False,
        )  # fmt: skip
        return 1
    said, told = _said(trainer.info)
    save_model(out, found, facts | said)
    answer.print(f"{out}: {run.told.format(trainer.done)} on {backend}{told}")
    return 0


def _train(trainer: Any, checkpoint: Any, every: int, shown: Steps, text: str) -> None:
    """All epochs that are left; a checkpoint after every so many of them and after the last."""
    if checkpoint and checkpoint.restore(trainer):
        shown.line(f"going on from {checkpoint.path} after {trainer.done} of {trainer.steps} updates")
    last = trainer.steps // trainer.batches
    done = trainer.done // trainer.batches
    shown.advance(done)
    for epoch in range(done + 1, last + 1):
        if hasattr(trainer, "stage"):
            shown.now(f"{text}: {trainer.stage}")
        trainer.advance(trainer.batches)
        shown.advance()
        if checkpoint and (epoch % every == 0 or epoch == last):
            checkpoint.save(trainer)


def _rate_of(model: str, trainer: Any) -> str:
    """The option that sets the step size which a trainer of this model has come to."""
    from ebmbench.training.joint import Joint

    joint = isinstance(trainer, Joint) or getattr(trainer, "stage", "") == "joint training"
    return "--joint-rate" if joint and model == "dbm" else "--rate"


def _said(info: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What an estimator learned beside the model, for the file and for a person."""
    facts: dict[str, Any] = {}
    told = ""
    if "learned_log_z" in info:
        facts["learned_log_z"] = info["learned_log_z"]
        told += f", learned log Z {facts['learned_log_z']:.3f}"
    if "swap_rates" in info:
        rates = info["swap_rates"]
        facts["swap_rates"] = rates.tolist()
        told += f", swap rates from {rates.min():.2f} to {rates.max():.2f}"
    return facts, told
