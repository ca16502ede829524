"""The jobs in torch, for every way to run it: eager, under CUDA graphs, compiled."""

from functools import partial
from typing import Any

from ebmbench.peers import _torch_deep, _torch_ising, _torch_layers, _torch_rbm
from ebmbench.peers._torch import Prepare, threaded


def jobs(prepare: Prepare) -> dict[str, Any]:
    """The jobs by name."""
    rbm = _torch_rbm
    found: dict[str, Any] = {"gibbs": rbm.gibbs, "restore": rbm.restore, "sml": rbm.sml, "cd": rbm.cd}
    found |= {name: partial(rbm.flips, objective=name) for name in ("pseudolikelihood", "ratio_matching")}
    found |= {"ising": _torch_ising.ising}
    found |= {"mlp": _torch_layers.mlp, "gan": _torch_layers.gan}
    found |= {"dbn": _torch_deep.dbn, "dbm": _torch_deep.dbm}
    return threaded({name: partial(build, prepare) for name, build in found.items()})
