"""The cpu's jobs behind a wrapper, as if their arrays lay on a device.

`Opaque` arrays have a shape, a type, a length and leading slices, and refuse everything else:
arithmetic, iteration, truth, conversion. `Device` arrays allow what those of numba-cuda do beside.
`EBMBENCH_OPAQUE_GPU=1 pytest -m gpu` runs the tests that a GPU is needed for on them: what a test itself
does wrong with a device's arrays is seen before there is a GPU.
"""

import dataclasses
from functools import wraps

import numpy as np

from ebmbench.kernels import api
from ebmbench.kernels.cpu.contrast import Contrast
from ebmbench.models.mlp import Activations

ON_HOST = {"hidden_input", "visible_input", "free_energy", "log_z"}  # jobs that return host arrays


class Opaque:
    """An array on a device."""

    __array_ufunc__ = None  # so that NumPy's operators refuse it too
    __slots__ = ("_hidden",)

    def __init__(self, hidden):
        self._hidden = hidden

    shape = property(lambda self: self._hidden.shape)
    ndim = property(lambda self: self._hidden.ndim)
    dtype = property(lambda self: self._hidden.dtype)

    def __len__(self):
        return len(self._hidden)

    def __getitem__(self, rows):
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            raise TypeError(f"a device's array has leading slices only, not [{rows}]")
        return type(self)(self._hidden[rows])

    def refuse(self, *_, **__):
        raise TypeError("this lies on the device")

    __iter__ = __bool__ = __array__ = __float__ = __contains__ = __setitem__ = refuse
    __eq__ = __ne__ = __lt__ = __gt__ = __add__ = __mul__ = __matmul__ = __sub__ = __neg__ = refuse
    __hash__ = None


class Device(Opaque):
    """One of numba-cuda's: slices may be set, and it can be copied from and to the host."""

    __slots__ = ()

    size = property(lambda self: self._hidden.size)
    nbytes = property(lambda self: self._hidden.nbytes)

    def __getitem__(self, place):
        found = self._hidden[place]
        return Device(found) if isinstance(found, np.ndarray) else found

    def __setitem__(self, place, value):
        if any(one is Ellipsis for one in (place if isinstance(place, tuple) else (place,))):
            raise TypeError("numba-cuda sets slices, and not [...]")
        self._hidden[place] = inwards(value)

    def __array__(self, *given, **named):
        return np.array(self._hidden, *given, **named)

    def copy_to_host(self):
        """A copy."""
        return np.array(self._hidden)

    def copy_to_device(self, values):
        """Other values in the same place."""
        self._hidden[...] = inwards(values)


def inwards(given):
    """What a job of the cpu takes."""
    if isinstance(given, Opaque):
        return given._hidden
    if isinstance(given, dict):
        return {name: inwards(one) for name, one in given.items()}
    if isinstance(given, list):
        return list(map(inwards, given))
    if isinstance(given, Activations):
        return dataclasses.replace(given, given=inwards(given.given), taken=inwards(given.taken))
    return given


def outwards(found, wrap):
    """What a job gives, its device arrays wrapped."""
    if isinstance(found, np.ndarray | Contrast):
        return wrap(found)
    if isinstance(found, dict):
        return {name: outwards(one, wrap) for name, one in found.items()}
    if isinstance(found, list):
        return [outwards(one, wrap) for one in found]
    if isinstance(found, Activations):
        kept = {name: outwards(getattr(found, name), wrap) for name in ("given", "taken")}
        return dataclasses.replace(found, **kept)
    if isinstance(found, api.Phases | api.Loss):
        return type(found)(*(outwards(one, wrap) for one in found))
    if isinstance(found, api.NoiseContrast):
        gradient, means = (outwards(one, wrap) for one in (found.gradient, found.means))
        return found._replace(gradient=gradient, means=means)
    if isinstance(found, tuple) and not hasattr(found, "_fields"):
        return tuple(outwards(one, wrap) for one in found)
    return found


def hiding(name, job, wrap):
    """A job between the two worlds."""

    @wraps(job)
    def call(*arguments):
        if name in ("moments", "gibbs", "take", "free_energy"):
            assert not any(type(one) is np.ndarray and one.ndim == 2 for one in arguments), (
                f"rows for {name} must be on the device"
            )
        found = job(*map(inwards, arguments))
        if name in ON_HOST:
            return found
        if name == "anneal":
            return found._replace(v=wrap(found.v))
        if name == "temper":
            return wrap(found[0]), found[1]
        return outwards(found, wrap)

    return call


def bare(get):
    """What fetches a tree: all of it is for the host."""

    @wraps(get)
    def call(model, tree):
        return get(model, inwards(tree))

    return call


def backend(wrap, name="cpu"):
    """The cpu whose arrays are wrapped, by `Opaque` or `Device`, and that is called by this name."""
    cpu = api.load("cpu")
    jobs = {(name, kind): hiding(name, job, wrap) for (name, kind), job in cpu.jobs.items()}
    for (job, kind), get in cpu.jobs.items():
        if job == "get_tree":
            jobs[job, kind] = bare(get)
    device = {name: hiding(name, function, wrap) for name, function in cpu.device.items()}
    device["get_rows"] = lambda rows: cpu.device["get_rows"](rows._hidden)
    device["describe"] = cpu.device["describe"]
    return dataclasses.replace(cpu, name=name, jobs=jobs, device=device, fused={})
