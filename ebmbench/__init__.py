"""ebmbench: benchmarks for energy-based models with exact truth beside every timing.

What most users need is here by name; each name is imported when it is first used, so that importing
the package does not wait for a compiler.
"""

import importlib
from typing import Any

_PUBLIC = {
    "UserError": ("ebmbench.errors", "UserError"),
    "RBM": ("ebmbench.models.rbm", "RBM"),
    "GaussianRBM": ("ebmbench.models.gaussian_rbm", "GaussianRBM"),
    "BoltzmannMachine": ("ebmbench.models.boltzmann", "BoltzmannMachine"),
    "GeneralBoltzmannMachine": ("ebmbench.models.general", "GeneralBoltzmannMachine"),
    "BayesNet": ("ebmbench.models.bayes_net", "BayesNet"),
    "MarkovField": ("ebmbench.models.markov_field", "MarkovField"),
    "Graph": ("ebmbench.models.graph", "Graph"),
    "lattice": ("ebmbench.models.graph", "lattice"),
    "ising": ("ebmbench.models.markov_field", "ising"),
    "ising_offset": ("ebmbench.models.markov_field", "ising_offset"),
    "DBN": ("ebmbench.models.dbn", "DBN"),
    "DBM": ("ebmbench.models.dbm", "DBM"),
    "MLP": ("ebmbench.models.mlp", "MLP"),
    "GAN": ("ebmbench.models.gan", "GAN"),
    "SGD": ("ebmbench.training.sgd", "SGD"),
    "Adam": ("ebmbench.training.adam", "Adam"),
    "Fit": ("ebmbench.training.fit", "Fit"),
    "Stack": ("ebmbench.training.stack", "Stack"),
    "Joint": ("ebmbench.training.joint", "Joint"),
    "Pretrained": ("ebmbench.training.pretrained", "Pretrained"),
    "Supervised": ("ebmbench.training.supervised", "Supervised"),
    "Adversarial": ("ebmbench.training.adversarial", "Adversarial"),
    "Checkpoint": ("ebmbench.training.checkpoint", "Checkpoint"),
    "initial_model": ("ebmbench.training.fit", "initial_model"),
    "initial_gaussian_model": ("ebmbench.training.fit", "initial_gaussian_model"),
    "initial_boltzmann_machine": ("ebmbench.training.initial", "initial_boltzmann_machine"),
    "initial_bayes_net": ("ebmbench.training.initial", "initial_bayes_net"),
    "initial_markov_field": ("ebmbench.training.initial", "initial_markov_field"),
    "initial_general_boltzmann_machine": (
        "ebmbench.training.initial",
        "initial_general_boltzmann_machine",
    ),
    "initial_dbm": ("ebmbench.training.joint", "initial_dbm"),
    "initial_network": ("ebmbench.training.initial", "initial_network"),
    "initial_gan": ("ebmbench.training.initial", "initial_gan"),
    "base_rates": ("ebmbench.partition", "base_rates"),
    "evaluate": ("ebmbench.evaluation.likelihood", "evaluate"),
    "lower_bound": ("ebmbench.evaluation.bounds", "lower_bound"),
    "classify": ("ebmbench.evaluation.classification", "classify"),
    "evaluate_gan": ("ebmbench.evaluation.adversarial", "evaluate_gan"),
    "restore": ("ebmbench.evaluation.restoration", "restore"),
    "posterior_means": ("ebmbench.samplers.posterior", "posterior_means"),
    "flipped": ("ebmbench.evaluation.damage", "flipped"),
    "noisy": ("ebmbench.evaluation.damage", "noisy"),
    "missing": ("ebmbench.evaluation.damage", "missing"),
    "without_half": ("ebmbench.evaluation.damage", "without_half"),
    "sandwich": ("ebmbench.evaluation.sandwich", "sandwich"),
    "sample": ("ebmbench.evaluation.samples", "draw"),
    "load_backend": ("ebmbench.kernels.api", "load"),
    "load_dataset": ("ebmbench.datasets", "load"),
    "load_model": ("ebmbench.models.storage", "load_model"),
    "save_model": ("ebmbench.models.storage", "save_model"),
    "load_table": ("ebmbench.harness.table", "load_table"),
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
