"""One kernel: seconds beside the floor of its device, and how many times faster than a peer it is.

The peer's result is checked, and ours, before the two take turns; how, says `Job.check` of each job. Of
ours an epoch must only be finite here: the gate checks training on small models. Moving inputs to the
device and results back is timed apart.
"""

from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from ebmbench import options, peers
from ebmbench.discovery import unknown
from ebmbench.harness import interleaved, subject, tasks, verify
from ebmbench.harness.clock import Stopwatch, warm_up
from ebmbench.harness.floors import WAYS, floor
from ebmbench.harness.interleaved import Limit, System
from ebmbench.harness.jobs import JOBS
from ebmbench.harness.measures import Speed
from ebmbench.kernels import api
from ebmbench.models.kinds import computed_as
from ebmbench.peers import Place, Work

NAME = "kernel"
_MOVES = 5  # times that data are moved


@dataclass(frozen=True, kw_only=True)
class Case(tasks.Case):
    """One job in one arithmetic beside one peer, or beside none.

    job: a table with `name` and the job's settings, see `harness.jobs`; peer: a name, or a table with
    `name` and `precision` (float32 or bfloat16), or "" for none; it computes where the backend does;
    model, dataset: where the model comes from, see `sources.load_model`, and whose training rows chains
    and batches start from; where they are not named, a made-up model of n_visible and n_hidden units
    and made-up rows. turns, turn_s: as in the task `speed`.
    """

    task = NAME
    seeded = False
    measures = (Speed("seconds", "a call"),)

    job: dict[str, Any] = field(hash=False)
    arithmetic: str = "float"
    peer: str | dict = field(default="", hash=False)
    model: str | dict = field(default="", hash=False)
    dataset: str = ""
    n_visible: int = 784
    n_hidden: int = 500
    turns: int = 6
    turn_s: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("n_visible", "n_hidden", "turns", "turn_s")
        tasks.check_named("job", self.job, "{ name = 'gibbs', chains = 100, sweeps = 100 }")
        if self.job["name"] not in JOBS:
            raise unknown("job", self.job["name"], list(JOBS))
        if self.arithmetic not in WAYS:
            raise unknown("arithmetic", self.arithmetic, list(WAYS))
        _ = self.config
        subject.check(self.model, self.dataset)
        self.config.check_source(self.model)
        if self.peer:
            peers.check(*self.peer_place)

    @property
    def config(self) -> Any:
        """The job with its settings; `UserError` for what is not known."""
        return options.build(
            JOBS[self.job["name"]], tasks.settings_of(self.job), f"job {self.job['name']}"
        )

    @property
    def peer_place(self) -> tuple[str, str]:
        """The peer's name and precision."""
        table = self.peer if isinstance(self.peer, dict) else {"name": self.peer}
        tasks.check_named("peer", table, "{ name = 'torch_eager', precision = 'bfloat16' }")
        options.require(
            table.keys() <= {"name", "precision"}, f"a peer has name and precision, but is {table}"
        )
        return table["name"], table.get("precision", "float32")

    @property
    def against(self) -> str:
        """The peer as tables and figures call it; empty for none."""
        if not self.peer:
            return ""
        name, precision = self.peer_place
        return f"{name.replace('_', ' ')}, {precision}"

    @property
    def label(self) -> str:
        """The job."""
        return self.config.label

    @property
    def kinds(self) -> tuple[str, ...]:
        """What the model is made of."""
        return computed_as(self.load().model)

    @property
    def where(self) -> str:
        """The model."""
        return self.config.called(self.model, self.n_visible, self.n_hidden)

    @property
    def heading(self) -> str:
        """The job, the model, the arithmetic and the peer."""
        beside = f" against {self.against}," if self.peer else ""
        return f"{self.label} of {self.where}, {self.arithmetic},{beside}"

    def summary(self, row: dict[str, Any]) -> str:
        """The seconds, how they stand to the dense floor, log Z of annealing, the ratio and the peer."""
        text = f"{1e3 * row['seconds']:.4g} ms"
        if row["fraction"] is not None:
            text += f", {row['fraction']:.3g} times the dense floor's rate"
            less = "by fewer or cheaper operations" if row["bound"] == "operations" else "from a cache"
            text += f" {less}" if row["fraction"] > 1 else ""
        if row["images_per_s"]:
            text += f", {row['images_per_s']:,.0f} images a second"
        if row["draws_per_ns"]:
            text += f", {row['draws_per_ns']:.3g} units drawn a nanosecond"
        if "log_z" in row:
            text += f", log Z {row['log_z']:.2f} ± {row['std_error']:.2f}"
        if self.peer:
            text += f", {row['ratio']:.3g} times as fast as the peer {interleaved.told(row)}"
            text += ": the peer is faster" if row["ratio"] < 1 else ""
        if "peer_verdict" in row:
            verdict, _, which = row["peer_verdict"].partition(":")
            text += f"; peer {verdict}{':' + which if verdict == 'failed' else ''}"
        return text

    def load(self) -> subject.Subject:
        """The model and rows."""
        return self.config.load(self.model, self.dataset, self.n_visible, self.n_hidden)

    def inputs(self) -> dict[str, str]:
        """The digests of the model and of the data set, where they are named."""
        return subject.inputs(self.model, self.dataset)

    def facts(self) -> dict[str, Any]:
        """The fields, with labels in place of tables; a named model's size is known once it is read."""
        tables = {"job_table": self.job, "peer_table": self.peer, "model_source": self.model}
        size = {"n_visible": None, "n_hidden": None} if self.model else {}
        named = {"job": self.label, "peer": self.against, "model": self.where}
        return super().facts() | named | tables | size | self.config.units


def run(case: Case, row: dict[str, Any], curve: list[dict[str, Any]]) -> None:
    """Fill in seconds, ratio, floor and moves; raises `Red` where a result is wrong."""
    if case.peer:
        name, wanted = case.peer_place
        place = Place("cuda" if case.backend == "cuda" else "cpu", wanted)
        peer = peers.load(name, place)
        row["peer_version"] = peer.version
        if case.config.of_rbms:
            row["peer_verdict"] = verify.of(name, place)
    limit = Limit(case.timeout_s)  # verifying is off the clock
    k, job = api.load(case.backend), case.config
    given = case.load()
    row |= given.units
    there = None
    if case.peer:
        peer = peers.tuned(peer, lambda one: job.theirs(one, given))
        row["peer_settings"] = ", ".join(f"{name} {value}" for name, value in peer.settings.items())
        limit.check("while the peer's settings were tried")
        job.check_peer(peer, given)
        limit.check("while the peer was checked")
        there = job.theirs(peer, given)
        job.check(f"peer {name}", given, there, wanted)
        limit.check("while the peer was checked")
    ours = job.ours(k, given, case.arithmetic, case.seed)
    # What a backend rounds is the weights alone, so it is held to the rounded model without a slack.
    job.check(f"backend {case.backend}", given.rounded(case.arithmetic), ours.work, "float32")
    job.check_ours(k, given, case.arithmetic, case.seed)
    limit.check("while ours was checked")
    if there is None:
        row["compile_s"] += warm_up(k, ours.work.run)
        watch = Stopwatch(k, case.timeout_s)
        for turn in range(case.turns):
            limit.check(f"after {turn} of {case.turns} turns")
            watch.time(ours.work.run)
        found = watch.summary("seconds")
    else:
        on_cpu = case.backend != "cuda"
        turns = interleaved.take_turns(
            System(_pieces(ours.work), on_cpu, case.backend == "reference"),
            System(_pieces(there), on_cpu, on_cpu),
            case.turns, case.turn_s, limit,
        )  # fmt: skip
        row["compile_s"] += turns.compile_s
        found = interleaved.summary([turns])
    floor_of = case.arithmetic if job.on_tensor_cores else "float"
    row |= found | ours.facts() | floor(case.backend, job.cost(given), floor_of)
    row["fraction"] = None if row["floor_s"] is None else row["floor_s"] / row["seconds"]
    row["images_per_s"] = job.images and job.images / row["seconds"]
    row["draws_per_ns"] = job.draws and 1e-9 * job.draws / row["seconds"]
    row |= {"put_s": _moved(k, ours.put), "get_s": _moved(k, ours.get)}


def _pieces(work: Work) -> Any:
    """run(n): n pieces of work, and the wait for them."""

    def run(pieces: int) -> None:
        for _ in range(pieces):
            work.run()
        work.wait()

    return run


def _moved(k: api.Backend, move: Any) -> float:
    """Median seconds of a transfer."""
    seconds = []
    for _ in range(_MOVES):
        k.synchronize()
        started = perf_counter()
        move()
        k.synchronize()
        seconds.append(perf_counter() - started)
    return float(np.median(seconds))
