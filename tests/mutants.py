"""Named faults: each turns a sound backend into a faulty one, and names the tests that must see it.

A fault wraps a job of a backend, or changes a Python function for as long as `patch` lasts, so that
the same faults apply to every backend. `test_mutants.py` runs the ordinary tests on them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from conftest import device, overwrite, with_job
from scipy.special import expit

from ebmbench.kernels.api import Annealed, Phases
from ebmbench.models.rbm import RBM, hidden_probability, softplus
from ebmbench.partition import _works, ais, bridge, log_z_base, reverse_ais
from ebmbench.randomness import HIDDEN, VISIBLE, Key, Stream, uniforms
from ebmbench.samplers import gibbs
from ebmbench.training.sgd import SGD


@dataclass(frozen=True)
class Mutant:
    """apply(k, patch) -> the faulty backend; seen_by: names of detectors in `test_mutants.py`."""

    name: str
    apply: Callable
    seen_by: tuple[str, ...]


MUTANTS: list[Mutant] = []


def mutant(name, *seen_by):
    """Register a function (k, patch) -> faulty backend."""

    def register(apply):
        MUTANTS.append(Mutant(name, apply, seen_by))
        return apply

    return register


def job_mutant(name, job, *seen_by):
    """Register a function (k, job, *its arguments) that takes the place of one job."""

    def register(function):
        def apply(k, patch):
            return with_job(k, job, lambda *args: function(k, *args))

        MUTANTS.append(Mutant(name, apply, seen_by))
        return function

    return register


def altered(k, handle, **changes):
    """A copy of a model on the device some of whose parameters are functions of the old ones."""
    model = k.get(handle)
    old = {name: getattr(model, name) for name in ("W", "b", "c")}
    new = {name: changes[name](x) if name in changes else x for name, x in old.items()}
    return k.put(RBM(**new), handle.arithmetic)


# --- sampling -----------------------------------------------------------------------------------


@job_mutant("identity sampler", "gibbs", "gate", "transition")
def _(k, job, model, v, *rest):
    return v, job(model, v, *rest)[1]


@job_mutant("missing hidden bias", "gibbs", "gate", "transition", "stationarity")
def _(k, job, model, *rest):
    return job(altered(k, model, c=np.zeros_like), *rest)


@job_mutant("missing visible bias", "gibbs", "gate", "transition", "stationarity")
def _(k, job, model, *rest):
    return job(altered(k, model, b=np.zeros_like), *rest)


@job_mutant("one visible bias off by 0.1", "gibbs", "gate", "stationarity")
def _(k, job, model, *rest):
    return job(altered(k, model, b=lambda b: b + 0.1 * (np.arange(b.size) == 0)), *rest)


@job_mutant("transposed W where it is square", "gibbs", "transition of a square model")
def _(k, job, model, *rest):
    square = model.n_visible == model.n_hidden
    return job(altered(k, model, W=np.transpose) if square else model, *rest)


@job_mutant("slope of the sigmoid", "gibbs", "gate", "transition", "stationarity")
def _(k, job, model, v, steps, key, beta):
    return job(model, v, steps, key, 1.2 * beta)


@job_mutant("inverse temperature ignored", "gibbs", "gate", "transition at beta 0.5")
def _(k, job, model, v, steps, key, beta):
    return job(model, v, steps, key, 1.0)


@job_mutant("the step is not advanced", "gibbs", "gate", "transition of 3 sweeps")
def _(k, job, model, v, steps, key, beta):
    for _ in range(steps):
        v, h = job(model, v, 1, key, beta)
    return v, h


@job_mutant("one sweep too few", "gibbs", "gate", "transition of 3 sweeps", "cd-2")
def _(k, job, model, v, steps, *rest):
    return job(model, v, max(1, steps - 1), *rest)


@job_mutant("the chain's number ignored", "gibbs", "gate", "split")
def _(k, job, model, v, steps, key, beta):
    return job(model, v, steps, key._replace(chain=0), beta)


@job_mutant("the first step ignored", "gibbs", "gate", "continuation")
def _(k, job, model, v, steps, key, beta):
    return job(model, v, steps, key._replace(step=0), beta)


def sampled(k, model, v, steps, key, beta, uniform):
    """Sweeps on a backend's own probabilities with uniforms of one's choice."""
    for t in range(steps):
        now = key.advance(t)
        p = k.get_rows(k.hidden_probability(model, v, beta))
        h = k.put_rows((uniform(now, p.shape, HIDDEN) < p).astype(np.uint8))
        p = k.get_rows(k.visible_probability(model, h, beta))
        v = k.put_rows((uniform(now, p.shape, VISIBLE) < p).astype(np.uint8))
    return v, h


@job_mutant("v reuses the uniforms of h", "gibbs", "gate", "transition")
def _(k, job, *args):
    return sampled(k, *args, lambda key, shape, layer: uniforms(key, *shape, HIDDEN))


@job_mutant("all chains share their uniforms", "gibbs", "gate", "transition")
def _(k, job, *args):
    return sampled(k, *args, lambda key, shape, layer: uniforms(key, 1, shape[1], layer))


# --- gradients ----------------------------------------------------------------------------------


@job_mutant("phases exchanged", "moments", "gate", "cd", "sml", "uphill")
def _(k, job, model, positive, negative, beta):
    return job(model, negative, positive, beta)


@job_mutant("negative phase added to the biases", "moments", "gate", "cd", "sml")
def _(k, job, model, *rest):
    gradient, means = job(model, *rest)
    tree = k.get_tree(model, gradient)
    sums = {name: 2 * k.get_rows(means[name])[: len(tree[name])] for name in ("b", "c")}
    return Phases(device(k, {**tree, **sums}, k.get(model)), means)


@job_mutant("divided by the batch size, not by the rows", "moments", "gate", "cd", "copies")
def _(k, job, model, positive, negative, beta):
    gradient, means = job(model, positive, negative, beta)
    tree = {name: x * (len(positive) / 300) for name, x in k.get_tree(model, gradient).items()}
    return Phases(device(k, tree, k.get(model)), means)


@job_mutant("h sampled in the negative phase", "moments", "gate")
def _(k, job, handle, positive, negative, beta):
    _, means = job(handle, positive, negative, beta)
    model = k.get(handle)
    plus, minus = (np.array(k.get_rows(rows), float) for rows in (positive, negative))
    on = [hidden_probability(model, rows) for rows in (plus, minus)]
    on[1] = (uniforms(Key(1, 0), *on[1].shape) < on[1]).astype(float)
    parts = [
        {"W": v.T @ h / len(v), "b": v.mean(axis=0), "c": h.mean(axis=0)}
        for v, h in zip((plus, minus), on, strict=True)
    ]
    return Phases(device(k, {n: parts[0][n] - parts[1][n] for n in parts[0]}, model), means)


@job_mutant("wrong sign of the exact gradient", "exact_gradient", "gate", "differences", "uphill exactly")
def _(k, job, model, *rest):
    (gradient, means), log_z = job(model, *rest)
    tree = {name: -x for name, x in k.get_tree(model, gradient).items()}
    return Phases(device(k, tree, k.get(model)), means), log_z


@job_mutant("enumeration without the hidden bias", "exact_gradient", "gate", "differences")
def _(k, job, model, *rest):
    return job(altered(k, model, c=np.zeros_like), *rest)


@job_mutant("log Z without the hidden bias", "log_z", "gate", "log Z")
def _(k, job, model):
    return job(RBM(model.W, model.b, np.zeros_like(model.c)))


# --- annealing ----------------------------------------------------------------------------------


@job_mutant("log weights of the wrong sign", "anneal", "gate", "ais", "mean weight")
def _(k, job, *args):
    log_weights, v = job(*args)
    return Annealed(-log_weights, v)


@job_mutant("the first temperature's weight is missing", "anneal", "gate", "mean weight")
def _(k, job, model, base, betas, *rest):
    return job(model, base, betas[1:], *rest)


@job_mutant("chains start at other base rates", "anneal", "gate", "ais", "mean weight")
def _(k, job, model, base, *rest):
    return job(model, base + 0.5, *rest)


@job_mutant("given rows are drawn over", "anneal", "gate")
def _(k, job, model, base, betas, start, key):
    return job(model, base, betas, start if isinstance(start, int) else len(start), key)


@job_mutant("given rows are the chains' memory", "anneal", "gate")
def _(k, job, model, base, betas, start, key):
    log_weights, v = job(model, base, betas, start, key)
    if not isinstance(start, int):
        overwrite(start, k.get_rows(v))
    return Annealed(log_weights, v)


@job_mutant("weights taken after the sweep", "anneal", "gate", "mean weight")
def _(k, job, handle, base, betas, start, key):
    model = k.get(handle)
    if isinstance(start, int):
        v = (uniforms(key, start, model.n_visible, VISIBLE) < expit(base)).astype(float)
    else:
        v = np.array(k.get_rows(start), float)
    log_weights = np.zeros(len(v))
    for t in range(1, len(betas)):
        after, before, now = betas[t], betas[t - 1], key.advance(t)
        x = model.c + v @ model.W
        h = uniforms(now, *x.shape, HIDDEN) < expit(after * x)
        p = expit((1 - after) * base + after * (model.b + h @ model.W.T))
        v = (uniforms(now, *p.shape, VISIBLE) < p).astype(float)
        x = model.c + v @ model.W
        log_weights += (after - before) * (v @ (model.b - base))
        log_weights += (softplus(after * x) - softplus(before * x)).sum(axis=1)
    return Annealed(log_weights, k.put_rows(v))


@mutant("log 2 missing in the base model's log Z", "ais", "mean weight", "mean inverse weight", "bridge")
def _(k, patch):
    sound = _works.log_z_base
    without = lambda model, base: sound(model, base) - model.n_hidden * np.log(2.0)  # noqa: E731
    patch.setattr(_works, "log_z_base", without)
    return k


@mutant("reverse weights of the wrong sign", "mean inverse weight", "bridge", "reverse", "80 models")
def _(k, patch):
    sound = _works.reverse

    def reverse(k, model, config, base, *rest):
        walks = sound(k, model, config, base, *rest)
        return walks._replace(log_weights=2 * log_z_base(model, base) - walks.log_weights)

    for module in (_works, bridge, reverse_ais):
        patch.setattr(module, "reverse", reverse)
    return k


@mutant("reverse walks start at the base rates", "mean inverse weight", "80 models")
def _(k, patch):
    def from_the_base(k, handle, config, base, seed, count):
        chains = gibbs.start(k, k.get(handle), count, Key(seed, Stream.BURN_IN), base.bias)
        return chains.v, "exact draws"

    patch.setattr(_works, "draws", from_the_base)
    return k


@mutant("forward and reverse works exchanged in the bridge", "gaussian works")
def _(k, patch):
    sound = bridge.acceptance_ratio
    patch.setattr(bridge, "acceptance_ratio", lambda there, back: sound(back, there))
    return k


@mutant("the bridge's offset of unequal numbers left out", "unequal works")
def _(k, patch):
    sound = bridge.acceptance_ratio

    def without_offset(there, back):
        value, std_error = sound(there, back)
        return value + np.log(len(there) / len(back)), std_error

    patch.setattr(bridge, "acceptance_ratio", without_offset)
    return k


@mutant("half of the bridge's standard error", "spread of the bridge", "gaussian works")
def _(k, patch):
    sound = bridge.acceptance_ratio
    patch.setattr(bridge, "acceptance_ratio", lambda f, r: (sound(f, r)[0], sound(f, r)[1] / 2.0))
    return k


@mutant("standard error of one weight, not of their mean", "spread")
def _(k, patch):
    sound = ais.summarise
    patch.setattr(ais, "summarise", lambda w: (sound(w)[0], sound(w)[1] * np.sqrt(len(w)), sound(w)[2]))
    return k


# --- updates ------------------------------------------------------------------------------------


@job_mutant("momentum ignored", "update", "gate", "update by hand", "momentum")
def _(k, job, model, velocity, gradient, rate, momentum, decay):
    return job(model, velocity, gradient, rate, 0.0, decay)


@job_mutant("decay of the biases too", "update", "gate", "update by hand", "decay")
def _(k, job, handle, velocity, gradient, rate, momentum, decay):
    model, tree = k.get(handle), k.get_tree(handle, gradient)
    for name in ("b", "c"):
        bias = getattr(model, name)
        gradient[name][: bias.size] = (tree[name] - decay * bias).astype(gradient[name].dtype)
    return job(handle, velocity, gradient, rate, momentum, decay)


@job_mutant("means of v and h exchanged in centring", "centre", "centring")
def _(k, job, gradient, means, offsets, sliding, mask):
    if means["b"].shape == means["c"].shape:
        means = {"b": means["c"], "c": means["b"]}
    return job(gradient, means, offsets, sliding, mask)


@job_mutant("biases centred with the gradient before centring", "centre", "gate", "centring")
def _(k, job, gradient, means, offsets, sliding, mask):
    before = {name: np.array(k.get_rows(x)) for name, x in gradient.items()}
    job(gradient, means, offsets, sliding, mask)
    n_visible, n_hidden = before["W"].shape
    mu, lam = k.get_rows(offsets["b"])[:n_visible], k.get_rows(offsets["c"])[:n_hidden]
    gradient["b"][:n_visible] = before["b"][:n_visible] - before["W"] @ lam
    gradient["c"][:n_hidden] = before["c"][:n_hidden] - mu @ before["W"]


@job_mutant("centring offsets stand still", "centre", "gate", "centring")
def _(k, job, gradient, means, offsets, sliding, mask):
    return job(gradient, means, offsets, 0.0, mask)


@mutant("the rate's schedule ignored", "linear")
def _(k, patch):
    patch.setattr(SGD, "rate_at", lambda self, step, steps: self.rate)
    return k
