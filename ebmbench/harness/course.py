"""The course of a deep model's training: phases one after the other on one clock, with looks between."""

from typing import Any, NamedTuple

import numba
import numpy as np

from ebmbench.harness import quality
from ebmbench.harness.clock import Clock, Stopwatch
from ebmbench.harness.measures import PARZEN
from ebmbench.harness.recipes import Given, Phase
from ebmbench.harness.tasks import _curve
from ebmbench.harness.trainer import Planned
from ebmbench.models.kinds import to_arrays

_TRACED = 200  # looks at what the players of a GAN say, at most


class Looks(NamedTuple):
    """checkpoints, spacing: of each phase, see the task `train`; pictures: of a look."""

    checkpoints: int
    spacing: str
    pictures: int


class Course:
    """Trains phase by phase; a line of the curve at every look.

    arrays: what a results folder keeps: the model, pictures of what it makes (uint8 [looks, pictures,
    n_visible], 255 where a pixel is 1) and what a GAN's players said.
    """

    def __init__(
        self, given: Given, ways: quality.Ways, looks: Looks, limit_s: float, curve: list[dict[str, Any]]
    ) -> None:
        self._given, self._ways, self._looks, self._limit_s = given, ways, looks, limit_s
        self._curve = curve
        self._model: Any = None
        self._found: dict[str, Any] = {}
        self._seconds = 0.0  # of the phases before
        self._updates, self._images = 0, 0.0
        self._stages: list[dict[str, Any]] = []
        shape = given.data.image_shape or (1, given.data.n_visible)
        order = np.array(given.data.image_order)
        self.arrays: dict[str, Any] = {"image_shape": np.array(shape), "image_order": order}

    def go_through(self, phase: Phase) -> None:
        """Train and look; the model that it ends with goes to the next phase.

        Making the trainer of a second phase is on the clock: it looks at all rows with the model before.
        """
        given, watch = self._given, Stopwatch(self._given.k, self._limit_s)
        trainer = watch.time(lambda: phase.make(given, self._model))
        if self._model is None:
            self._found["put_s"] = watch.seconds
        else:
            self._seconds += watch.seconds
        look = quality.judge_of(phase.measure, given.data, self._ways, self._model)
        self._found |= look.yardsticks
        clock = Clock(given.k, trainer, self._limit_s, self._seconds)
        try:
            self._follow(phase, trainer, look, clock)
        finally:
            self._seconds = clock.seconds
            self._updates += trainer.done
            self._images += trainer.done / trainer.batches * len(given.data.train)
        self._model = trainer.model
        if look.measure:
            at_end = self._curve[-1]
            error = {f"{look.measure}_std_error": at_end["std_error"]}
            self._found |= {look.measure: at_end[look.measure]} | error
        self._found |= look.final(self._model) | look.facts
        self.arrays |= to_arrays(self._model) | look.pictures

    def _follow(self, phase: Phase, trainer: Planned, look: quality.Judge, clock: Clock) -> None:
        steps, looks = trainer.steps, self._looks
        ends = np.cumsum([epochs * trainer.batches for _, epochs in phase.stages]).tolist()
        judged = {0, *_curve.checkpoints(steps, looks.checkpoints, looks.spacing), *ends}
        traced = set(_curve.checkpoints(steps, _TRACED, "linear")) if phase.measure == PARZEN else set()
        pictures: list[tuple[float, np.ndarray]] = []
        said: list[dict[str, float]] = []
        began = clock.seconds
        for update in sorted(judged | traced):
            clock.advance_to(update)
            stage = int(np.searchsorted(ends, update))
            at = {"update": self._updates + update, "seconds": clock.seconds}
            if update in traced:
                said.append({**at, **trainer.info})
            if update in judged:
                where = {"stage": phase.stages[stage][0], "epoch": update / trainer.batches}
                self._curve.append({**at, **where, "measure": look.measure, **look(trainer.model)})
            if update in judged and (phase.measure == PARZEN or update == steps):
                made = look.samples(trainer.model, looks.pictures)
                pictures += [] if made is None else [(at["update"], made)]
            if update in ends:
                self._end_stage(*phase.stages[stage], clock.seconds - began)
                began = clock.seconds
        if pictures:
            updates, rows = zip(*pictures, strict=True)
            grey = np.rint(255.0 * np.clip(rows, 0.0, 1.0)).astype(np.uint8)
            self.arrays |= {"samples": grey, "samples_update": np.array(updates)}
        if said:
            self.arrays |= {f"said_{name}": np.array([one[name] for one in said]) for name in said[-1]}

    def _end_stage(self, name: str, epochs: int, seconds: float) -> None:
        images = epochs * len(self._given.data.train)
        pace = {"images": images, "images_per_s": images / max(seconds, 1e-9)}
        self._stages.append({"stage": name, "epochs": epochs, "seconds": seconds, **pace})

    def summary(self) -> dict[str, Any]:
        """What a row says of it, however far it came."""
        found = self._found | {
            "train_s": self._seconds,
            "updates_done": self._updates,
            "images_per_s": self._images / self._seconds if self._seconds else None,
            "stages": self._stages,
            "threads": numba.get_num_threads(),
        }
        last = {k: v for k, v in (self._curve or [{}])[-1].items() if k not in _OF_A_POINT}
        return found | last


_OF_A_POINT = ("update", "seconds", "stage", "epoch")
