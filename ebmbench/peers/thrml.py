"""thrml: block Gibbs sampling on graphs in JAX, of an Ising model that has the RBM's law."""

import importlib
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ebmbench.models.rbm import RBM
from ebmbench.peers import Place, Work, jax
from ebmbench.peers._ising import halves, whole

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


def _sampled(laid_out: tuple[Any, list[Any], Any], starts: list[np.ndarray], sweeps: int) -> Work:
    """Sweeps of a program whose blocks start from these states, [chains, units] each, named 0 and 1.

    Every chain runs by itself, as the library's examples do, vectorised by JAX.
    """
    library = importlib.import_module("jax")
    thrml = importlib.import_module("thrml")
    program, blocks, schedule = laid_out
    told = schedule(n_warmup=sweeps, n_samples=1, steps_per_sample=1)

    @importlib.import_module("equinox").filter_jit
    def advance(program: Any, state: Any) -> Any:
        keys = library.random.split(state["key"], len(starts[0]) + 1)

        def one(key: Any, *states: Any) -> Any:
            found = thrml.sample_states(key, program, told, list(states), [], blocks)
            return [x[0] for x in found]

        return {"key": keys[0], "states": library.vmap(one)(keys[1:], *state["states"])}

    states = [library.numpy.asarray(start, bool) for start in starts]
    begin = {"key": library.random.key(0), "states": states}
    return jax.work(partial(advance, program), begin, lambda s: dict(zip("01", s["states"], strict=True)))


def gibbs(place: Place, model: RBM, v: np.ndarray, sweeps: int) -> Work:
    """See the package."""
    made = _sampled(_program(model), [np.zeros((len(v), model.n_hidden)), v], sweeps)

    def result() -> dict[str, np.ndarray]:
        found = made.result()
        return {"h": found["0"], "v": found["1"]}

    return made._replace(result=result)


@lru_cache(maxsize=2)
def _torus(height: int, width: int, weight: float, bias: float) -> tuple[Any, list[Any], Any]:
    """As `_program`: a block a colour, in the order of `_ising.halves`."""
    thrml = importlib.import_module("thrml")
    models = importlib.import_module("thrml.models")
    jnp = importlib.import_module("jax.numpy")
    nodes = np.array([thrml.SpinNode() for _ in range(height * width)]).reshape(height, width)
    ahead = [np.roll(nodes, -1, axis).ravel() for axis in (0, 1)]
    edges = [pair for other in ahead for pair in zip(nodes.ravel(), other, strict=True)]
    biases = np.full(nodes.size, bias / 2 + weight)  # of four neighbours a quarter of the weight each
    given = (jnp.asarray(x, jnp.float32) for x in (biases, np.full(len(edges), weight / 4), 1.0))
    ebm = models.IsingEBM(list(nodes.ravel()), edges, *given)
    blocks = [thrml.Block(list(half.ravel())) for half in halves(nodes.ravel(), height, width)]
    return models.IsingSamplingProgram(ebm, blocks, []), blocks, thrml.SamplingSchedule


def ising(
    place: Place, torus: tuple[int, int], weight: float, bias: float, v: np.ndarray, sweeps: int
) -> Work:
    """See the package."""
    height, width = torus
    starts = [half.reshape(len(v), -1) for half in halves(v, height, width)]
    made = _sampled(_torus(height, width, weight, bias), starts, sweeps)

    def result() -> dict[str, np.ndarray]:
        colours = [half.reshape(len(v), height, -1) for half in made.result().values()]
        return {"v": whole(*colours)}

    return made._replace(result=result)


JOBS = {"gibbs": gibbs, "ising": ising}
