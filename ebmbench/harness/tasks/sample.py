"""A sampler on a given model: effective draws a second, and its distance from the exact law."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ebmbench import options
from ebmbench.discovery import unknown
from ebmbench.evaluation import diagnostics
from ebmbench.harness import tasks, user_code
from ebmbench.harness.clock import Stopwatch, warm_up
from ebmbench.harness.foreign import sampling
from ebmbench.harness.foreign.sampling import Sampler
from ebmbench.harness.measures import Quality, Speed, figure
from ebmbench.harness.tasks._model import BaseCase
from ebmbench.kernels import api
from ebmbench.kernels.api import Backend, Handle, Rows
from ebmbench.models import boltzmann, enumerate, markov_field
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.model import Model
from ebmbench.models.rbm import RBM
from ebmbench.options import require
from ebmbench.randomness import Key, Stream
from ebmbench.samplers import gibbs, tempering

NAME = "sample"
_LAWS: dict[str, Callable[[Any], np.ndarray]] = {  # p(v) of all states, by the kind of model
    RBM.kind: enumerate.distribution,
    BoltzmannMachine.kind: boltzmann.distribution,
    MarkovField.kind: markov_field.distribution,
}
_SLICES = 20  # of the sweeps before anything is recorded
_MOST_VISIBLE = 16  # units up to which every visible state's visits are counted


@dataclass(frozen=True)
class Gibbs:
    """Independent chains of block Gibbs sampling; nothing to choose."""

    name: ClassVar[str] = "gibbs"
    label: ClassVar[str] = "Gibbs"

    def start(self, k: Backend, model: Model, count: int, base: np.ndarray, key: Key) -> gibbs.Chains:
        """Chains drawn from the model's visible biases."""
        return gibbs.start(k, model, count, key)

    def advance(self, k: Backend, handle: Handle, state: gibbs.Chains, sweeps: int) -> gibbs.Chains:
        """The chains after some sweeps."""
        return gibbs.advance(k, handle, state, sweeps)

    def rows(self, k: Backend, state: gibbs.Chains) -> Rows:
        """The chains' v."""
        return state.v

    def facts(self, state: gibbs.Chains) -> dict[str, Any]:
        """Nothing beside the draws."""
        return {}


@dataclass(frozen=True)
class Tempering:
    """temperatures: of each ladder, evenly spaced from the base rates to the model, at least 2."""

    temperatures: int = 10

    name: ClassVar[str] = "parallel_tempering"

    def __post_init__(self) -> None:
        tempering.spaced(self.temperatures)

    @property
    def label(self) -> str:
        """The name in tables and figures."""
        return f"PT, {self.temperatures} temperatures"

    def start(
        self, k: Backend, model: Model, count: int, base: np.ndarray, key: Key
    ) -> tempering.Ladders:
        """Ladders drawn from the base rates."""
        return tempering.start(k, model, count, tempering.spaced(self.temperatures), base, key)

    def advance(
        self, k: Backend, handle: Handle, state: tempering.Ladders, sweeps: int
    ) -> tempering.Ladders:
        """The ladders after some sweeps."""
        return tempering.advance(k, handle, state, sweeps)

    def rows(self, k: Backend, state: tempering.Ladders) -> Rows:
        """The v of each ladder's coldest chain."""
        return tempering.coldest(k, state)

    def facts(self, state: tempering.Ladders) -> dict[str, Any]:
        """How often neighbours exchange."""
        return tasks.swap_facts(tempering.swap_rates(state))


SAMPLERS: dict[str, type[Gibbs] | type[Tempering]] = {one.name: one for one in (Gibbs, Tempering)}


@dataclass(frozen=True, kw_only=True)
class Case(BaseCase):
    """One sampler on one model.

    sampler: `gibbs`, or a table with `name` and settings, or other software, see `foreign.sampling`;
    the chains are looked at after each of `sweeps` sweeps that follow `burn_in` others; parallel
    tempering's hot end is the base.
    """

    task = NAME
    takes = tuple(_LAWS)
    measures = (
        Speed("sweep_s", "a sweep"),
        # Of a sampler without a fault, the distance is about as large as this floor and less uncertain.
        Quality(
            "total_variation", "total variation", tolerance=1e-3, std_error="total_variation_floor_ess"
        ),
        Quality("ess", "ESS a draw", ratio=True, higher=True, tolerance=0.2, over=("chains", "sweeps")),
    )

    sampler: str | dict = field(hash=False)
    chains: int = 10
    sweeps: int = 1000
    burn_in: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("burn_in")
        require(
            self.chains >= 2, f"R-hat compares chains, so chains must be at least 2, not {self.chains}"
        )
        require(self.sweeps >= 4, f"sweeps must be at least 4, but is {self.sweeps}")
        if isinstance(self.config, Sampler):
            user_code.function(self.config.name, sampling.SIGNATURE, self.config.settings)

    @property
    def config(self) -> Gibbs | Tempering | Sampler:
        """The sampler with its settings; `UserError` for what is not known."""
        table = self.sampler if isinstance(self.sampler, dict) else {"name": self.sampler}
        tasks.check_named("sampler", table, "{ name = 'parallel_tempering', temperatures = 10 }")
        if user_code.is_users(table["name"]):
            return Sampler(table["name"], tasks.settings_of(table))
        if table["name"] not in SAMPLERS:
            raise unknown("sampler", table["name"], [*SAMPLERS, *user_code.FORMS])
        what = f"sampler {table['name']}"
        return options.build(SAMPLERS[table["name"]], tasks.settings_of(table), what)

    @property
    def label(self) -> str:
        """The sampler as tables and figures call it."""
        return self.config.label

    @property
    def user_code(self) -> str:
        """The sampler, where it is such."""
        return self.config.name if isinstance(self.config, Sampler) else ""

    def inputs(self) -> dict[str, str]:
        """The digests of the model, of the data set and of the user's code."""
        return super().inputs() | user_code.version(self.user_code)

    def summary(self, row: dict[str, Any]) -> str:
        """Effective draws and their price, and the distance from the law where it is known."""
        text = f"ESS {figure(row['ess'], '.0f')} of {row['chains'] * row['sweeps']}"
        text += f", {figure(row['ess_per_s'], '.3g')} a second, R-hat {figure(row['r_hat'], '.3f')}"
        if "total_variation" in row:
            floor = row["total_variation_floor"]
            text += f", total variation {row['total_variation']:.4f} (floor {floor:.4f})"
        return text

    def facts(self) -> dict[str, Any]:
        """The fields, with the sampler's name in place of its table."""
        table = self.sampler if isinstance(self.sampler, dict) else {}
        name = user_code.called(self.config.name)
        return super().facts() | {"sampler": name, "settings": tasks.settings_of(table)}


def run(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Fill in the diagnostics; returns the statistics of every sweep, each [chains, sweeps].

    They are the free energy of v in nats and the number of its active units; `ess` is the smaller and
    `r_hat` the larger of the two. What is recorded is off the clock.
    """
    k = api.load(case.backend)
    model, sampler = case.load(), case.config
    handle = k.put(model)
    base = case.base(model.n_visible).bias
    state: Any = sampler.start(k, model, case.chains, base, Key(case.seed, Stream.CHAINS))
    # Two sweeps, as a single one need not go the way of many.
    row["compile_s"] += warm_up(k, lambda: sampler.advance(k, handle, state, 2))
    burn_in = Stopwatch(k, case.timeout_s)
    for part in range(_SLICES):  # so that the time limit is looked at in between
        sweeps = (part + 1) * case.burn_in // _SLICES - part * case.burn_in // _SLICES
        if sweeps:
            state = burn_in.time(partial(sampler.advance, k, handle, state, sweeps))
    watch = Stopwatch(k, case.timeout_s, burn_in.seconds)
    count = model.n_visible <= _MOST_VISIBLE
    counts = np.zeros(2**model.n_visible if count else 0, np.int64)
    free_energy = np.empty((case.chains, case.sweeps))
    active = np.empty((case.chains, case.sweeps))
    for sweep in range(case.sweeps):
        state = watch.time(partial(sampler.advance, k, handle, state, 1))
        v = sampler.rows(k, state)
        free_energy[:, sweep] = k.free_energy(handle, v)
        host = k.get_rows(v)
        active[:, sweep] = host.sum(axis=1)
        if count:
            counts += diagnostics.visits(host)
    statistics = {"free_energy": free_energy, "active": active}
    sizes = {name: diagnostics.effective_sample_size(one) for name, one in statistics.items()}
    ess = float(np.min(list(sizes.values())))
    row |= (
        watch.summary("sweep_s")
        | sampler.facts(state)
        | {
            "burn_in_s": burn_in.seconds,
            "sample_s": watch.seconds,
            "ess": ess,
            "ess_per_s": ess / watch.seconds,
            "r_hat": float(np.max([diagnostics.r_hat(one) for one in statistics.values()])),  # or NaN
            **{f"ess_{name}": size for name, size in sizes.items()},
            "mean_free_energy": float(free_energy.mean()),
        }
    )
    if count:
        law = _LAWS[model.kind](model)
        row |= {
            "total_variation": diagnostics.total_variation(counts, law),
            "total_variation_floor": diagnostics.total_variation_floor(law, counts.sum()),
            "total_variation_floor_ess": diagnostics.total_variation_floor(law, ess),
        }
    return {name: one.astype(np.float32) for name, one in statistics.items()}
