"""Training principles, one file each; a new file is found because it exists.

A file has NAME, a frozen `Config`, `init(k, model, config, key, base) -> state` and
`step(k, handle, config, state, batch, key) -> (gradient, state, info)`. `k` is the loaded backend,
`model` the start on the host, `base` the data's base rates (see `partition.BaseRates.bias`), `handle`
the model on the device. The gradient is ascent on the
principle's objective, divided by the true number of rows of the batch. `key.step` counts the
updates; an estimator chooses its own stream. info["means"] holds both phases' mean v and h. `init`
raises `Unavailable` with one sentence where the principle does not apply to the model's units.

A file whose gradient is the contrast of the batch and a negative phase of Gibbs sampling may also have
`negative(config, state, key) -> Negative | None`, what that phase does from this state on, and
`after(config, state, v, steps) -> state`, the state after so many steps when the phase ended at v: a
backend may then do many updates in one call. Where `negative` gives None it does so at every step.

A file that computes with models of other kinds than the one it trains names them in BESIDE.

A file whose state is not None also has `saved(k, state) -> arrays` on the host by name, and
`restored(k, state, arrays) -> state`, which takes what `init` gave to where the saved one stood.
"""

from types import ModuleType
from typing import Any

from ebmbench import options
from ebmbench.discovery import registry, unknown


def known() -> dict[str, ModuleType]:
    """The estimators by name."""
    return registry(__name__, ("Config", "init", "step"))


def find(name: str, settings: dict[str, Any]) -> tuple[ModuleType, Any]:
    """An estimator's module and its config; `UserError` for what is not known."""
    if name not in known():
        raise unknown("estimator", name, list(known()))
    module = known()[name]
    return module, options.build(module.Config, settings, f"estimator {name}")
