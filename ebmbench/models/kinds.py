"""Every kind of model as named arrays, and back: what files and checkpoints hold.

An RBM is W, b and c, with Gaussian visible units precision too, so that any other library can write
one. All others say what they are in an array `kind`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ebmbench.discovery import unknown
from ebmbench.errors import UserError
from ebmbench.models.augmented import AugmentedMLP
from ebmbench.models.bayes_net import BayesNet
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.dbm import DBM
from ebmbench.models.dbn import DBN
from ebmbench.models.gan import GAN
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.models.general import GeneralBoltzmannMachine
from ebmbench.models.graph import Graph
from ebmbench.models.latent import Latent
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.mlp import MLP
from ebmbench.models.model import Array
from ebmbench.models.rbm import RBM

Arrays = Mapping[str, Array]
_PLAIN = (RBM.kind, GaussianRBM.kind)  # need not say what they are


def to_arrays(model: Any) -> dict[str, Array]:
    """A model's parameters by name, float64, and with them what else makes it up again."""
    found = dict(model.parameters)
    if model.kind not in _PLAIN:
        found["kind"] = np.array(model.kind)
    if isinstance(model, MarkovField):
        found["edges"] = model.graph.edges
    networks = {"": model} if isinstance(model, MLP) else {}
    if isinstance(model, AugmentedMLP):
        networks = {"": model.mlp}
    elif isinstance(model, GAN):
        networks = {"G": model.generator, "D": model.discriminator}
    for who, network in networks.items():
        found[f"{who}activations"] = np.array(network.activations)
    return found


def computed_as(model: Any) -> tuple[str, ...]:
    """The kinds of models in whose jobs backends compute with this one: those of what it is made of."""
    if isinstance(model, DBN):
        return tuple(dict.fromkeys(layer.kind for layer in model.layers))
    if isinstance(model, Latent):
        return (model.whole.kind,)
    if isinstance(model, AugmentedMLP):
        return (*computed_as(model.dbm), *computed_as(model.mlp))
    return (model.generator.kind,) if isinstance(model, GAN) else (model.kind,)


def from_arrays(arrays: Arrays) -> Any:
    """The model that `to_arrays` took apart; other arrays may lie beside it.

    Raises `UserError` where the kind is not known, an array is missing or is too many, or one does not
    fit the others.
    """
    if "kind" not in arrays:
        return _plain(arrays)
    kind = str(arrays["kind"])
    if kind not in _MAKERS:
        raise unknown("kind of model", kind, list(_MAKERS))
    return _MAKERS[kind](arrays)


def _plain(arrays: Arrays) -> RBM | GaussianRBM:
    others = [name for name in ("R", "S", "edges", "activations") if name in arrays]
    if others:
        raise UserError(f"it holds {', '.join(others)}, as no RBM does, but not the kind of the model")
    missing = [name for name in RBM.names if name not in arrays]
    if missing:
        raise UserError(
            f"it does not hold {', '.join(missing)}; a model has W, b and c, or says its kind"
        )
    kind = GaussianRBM if "precision" in arrays else RBM
    return kind(**{name: arrays[name] for name in kind.names})


def _layers(arrays: Arrays, kinds: str) -> dict[str, list[Array]]:
    """For each letter of `kinds` its arrays of layer 1, 2, ..., up to the highest number there is."""
    numbers = (re.fullmatch(rf"[{kinds}](\d+)", name) for name in arrays)
    depth = max((int(number[1]) for number in numbers if number), default=1)
    wanted = (f"{x}{n + 1}" for n in range(depth) for x in kinds)
    missing = next((name for name in wanted if name not in arrays), None)
    if missing:
        raise UserError(f"a model of {depth} layers lacks {missing}")
    return {x: [arrays[f"{x}{n + 1}"] for n in range(depth)] for x in kinds}


def _dbn(arrays: Arrays) -> DBN:
    found = _layers(arrays, "Wbc")
    layers: list[Any] = [RBM(*one) for one in zip(found["W"], found["b"], found["c"], strict=True)]
    if "precision1" in arrays:
        bottom = layers[0]
        layers[0] = GaussianRBM(bottom.W, bottom.b, bottom.c, arrays["precision1"])
    return DBN(tuple(layers))


def _dbm(arrays: Arrays) -> DBM:
    found = _layers(arrays, "Wc")
    return DBM(tuple(found["W"]), (_get(arrays, "b"), *found["c"]))


def _mlp(arrays: Arrays, who: str = "") -> MLP:
    found = _layers(_under(arrays, who), "Wc")
    activations = tuple(str(name) for name in np.atleast_1d(_get(arrays, f"{who}activations")))
    return MLP(tuple(found["W"]), tuple(found["c"]), activations)


def _augmented(arrays: Arrays) -> AugmentedMLP:
    return AugmentedMLP(_dbm(_under(arrays, "dbm_")), _mlp(arrays))


def _general(arrays: Arrays) -> GeneralBoltzmannMachine:
    return GeneralBoltzmannMachine(*(_get(arrays, name) for name in GeneralBoltzmannMachine.names))


def _field(arrays: Arrays) -> MarkovField:
    b = _get(arrays, "b")
    return MarkovField(Graph(np.size(b), _get(arrays, "edges")), _get(arrays, "R"), b)


def _under(arrays: Arrays, prefix: str) -> dict[str, Array]:
    """The parameters whose names have this prefix, without it."""
    names = (re.fullmatch(rf"{prefix}([Wbc]\d*)", name) for name in arrays)
    return {name[1]: arrays[name[0]] for name in names if name}


def _get(arrays: Arrays, name: str) -> Array:
    if name not in arrays:
        raise UserError(f"a model of this kind lacks {name}")
    return arrays[name]


_MAKERS: dict[str, Callable[[Arrays], Any]] = {
    DBN.kind: _dbn,
    DBM.kind: _dbm,
    MLP.kind: _mlp,
    AugmentedMLP.kind: _augmented,
    GAN.kind: lambda arrays: GAN(_mlp(arrays, "G"), _mlp(arrays, "D")),
    BoltzmannMachine.kind: lambda arrays: BoltzmannMachine(_get(arrays, "R"), _get(arrays, "b")),
    GeneralBoltzmannMachine.kind: _general,
    BayesNet.kind: lambda arrays: BayesNet(_get(arrays, "W"), _get(arrays, "b")),
    MarkovField.kind: _field,
}
