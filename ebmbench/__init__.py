"""ebmbench: benchmarks for energy-based models with exact truth beside every timing.

What most users need is here by name; each name is imported when it is first used, so that importing
the package does not wait for a compiler.
"""

import importlib
from typing import Any

_PUBLIC = {
    "RBM": ("ebmbench.models.rbm", "RBM"),
    "GaussianRBM": ("ebmbench.models.gaussian_rbm", "GaussianRBM"),
    "SGD": ("ebmbench.training.sgd", "SGD"),
    "Fit": ("ebmbench.training.fit", "Fit"),
    "initial_model": ("ebmbench.training.fit", "initial_model"),
    "initial_gaussian_model": ("ebmbench.training.fit", "initial_gaussian_model"),
    "base_rates": ("ebmbench.partition", "base_rates"),
    "evaluate": ("ebmbench.evaluation.likelihood", "evaluate"),
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
