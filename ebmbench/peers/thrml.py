"""thrml: block Gibbs sampling on graphs in JAX, of an Ising model that has the RBM's law."""

import importlib
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ebmbench.models.rbm import RBM
from ebmbench.peers import Place, Work, jax

NAME = "thrml"
PACKAGE = "thrml"
DEVICES = ("cpu", "cuda")
PRECISIONS = ("float32",)
missing = jax.missing


@lru_cache(maxsize=2)  # a graph of MNIST's size takes seconds to lay out
def _program(model: RBM) -> tuple[Any, list[Any], Any]:
    """The program, its blocks of h and v, and its parameters.

    With spins s = 2 x - 1 of units x, -E(v, h) = s_v W/4 s_h + s_v (b/2 + W 1/4) + s_h (c/2 + 1 W/4) but
    for a constant.
    """
    thrml = importlib.import_module("thrml")
    models = importlib.import_module("thrml.models")
    jnp = importlib.import_module("jax.numpy")
    v, h = ([thrml.SpinNode() for _ in range(n)] for n in model.W.shape)
    edges = [(one, other) for one in v for other in h]
    biases = np.concatenate([model.b / 2 + model.W.sum(1) / 4, model.c / 2 + model.W.sum(0) / 4])
    given = (jnp.asarray(x, jnp.float32) for x in (biases, model.W.ravel() / 4, 1.0))
    ebm = models.IsingEBM([*v, *h], edges, *given)
    blocks = [thrml.Block(h), thrml.Block(v)]
    return models.IsingSamplingProgram(ebm, blocks, []), blocks, thrml.SamplingSchedule


def gibbs(place: Place, model: RBM, v: np.ndarray, sweeps: int) -> Work:
    """See the package; every chain runs by itself, as the library's examples do, vectorised by JAX."""
    library = importlib.import_module("jax")
    thrml = importlib.import_module("thrml")
    program, blocks, schedule = _program(model)
    told = schedule(n_warmup=sweeps, n_samples=1, steps_per_sample=1)
    jnp = library.numpy

    @importlib.import_module("equinox").filter_jit
    def advance(program: Any, state: Any) -> Any:
        keys = library.random.split(state["key"], len(v) + 1)

        def one(key: Any, h: Any, v: Any) -> Any:
            found = thrml.sample_states(key, program, told, [h, v], [], blocks)
            return [x[0] for x in found]

        h, visible = library.vmap(one)(keys[1:], state["h"], state["v"])
        return {"key": keys[0], "h": h, "v": visible}

    start = {
        "key": library.random.key(0),
        "h": jnp.zeros((len(v), model.n_hidden), bool),
        "v": jnp.asarray(v, bool),
    }
    return jax.work(partial(advance, program), start, lambda s: {"v": s["v"], "h": s["h"]})


JOBS = {"gibbs": gibbs}
