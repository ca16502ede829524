"""Two players against each other: Goodfellow et al. 2014, algorithm 1, with any optimiser.

One update is `discriminator_steps` steps of the discriminator, each on a new batch of data and as many
new fakes, and one of the generator on new noise. Data and fakes go through the discriminator as one
stacked batch: one forward, one backward, and the sum of both gradients at once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ebmbench.discovery import unknown
from ebmbench.kernels.api import Backend, Rows
from ebmbench.models.dropout import Dropout, rates_of
from ebmbench.models.gan import FORMS, GAN, latent
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.randomness import Key, Stream, check_deviation
from ebmbench.training.adam import Adam
from ebmbench.training.ascent import Ascent, Diverged
from ebmbench.training.average import Average, check_averaging
from ebmbench.training.batches import Batches
from ebmbench.training.schedule import check_planned
from ebmbench.training.sgd import SGD
from ebmbench.training.states import State, joined, part

# Radford, Metz & Chintala 2016, section 4.
DEFAULT = Adam(rate=2e-4, beta1=0.5)
LOOK = 100  # updates between two looks at whether the loss is finite: a look has the program wait
_AHEAD = 64  # batches of noise that are drawn and moved to the device at once


class Adversarial:
    """One training run of a GAN on one backend.

    rows: [n, n_visible], in [0, 1] where the generator ends in sigmoid units, else any numbers; form: of
    `FORMS`, what the generator climbs; discriminator_steps: those of an update; epochs: visits to every
    row, which decide the length of the run and of its schedule. An epoch of b batches is
    ceil(b / discriminator_steps) updates. judging: the discriminator's optimiser where it is not the
    generator's, such as one of larger steps (Heusel et al. 2017, "two time-scale update rule"). dropout:
    the discriminator's, see `models.dropout.rates_of`, in its own steps and in the generator's. noise:
    the standard deviation of normal numbers, new ones each time, that are added to all that the
    discriminator is shown, so that data and fakes overlap (Arjovsky & Bottou 2017, section 3; the
    instance noise of Sønderby et al. 2017, where it falls to 0 in time and here it stays). averaging: the
    share of the `Average` that `model` has for the generator; 0 for the generator as it stands.
    Raises `UserError` for what cannot be.
    """

    def __init__(
        self,
        k: Backend,
        model: GAN,
        rows: np.ndarray,
        form: str = "non_saturating",
        optimiser: SGD | Adam | None = None,
        discriminator_steps: int = 1,
        epochs: int = 10,
        batch_size: int = 100,
        seed: int = 0,
        judging: SGD | Adam | None = None,
        dropout: float | Sequence[float] = 0.0,
        noise: float = 0.0,
        averaging: float = 0.0,
    ) -> None:
        if form not in FORMS:
            raise unknown("form", form, list(FORMS))
        require(epochs >= 1, f"the number of epochs must be at least 1, but is {epochs}")
        require(
            isinstance(discriminator_steps, int) and discriminator_steps >= 1,
            f"the number of discriminator steps must be at least 1, but is {discriminator_steps}",
        )
        optimiser = optimiser or DEFAULT
        judging = judging or optimiser
        check_deviation(noise)
        check_averaging(averaging)
        real = model.generator.activations[-1] != "sigmoid"
        rows = check_rows(rows, model.n_visible, real=real)
        self.k = k
        self.form = form
        self.optimiser = optimiser
        self.discriminator_steps = discriminator_steps
        self.seed = seed
        self._shuffled = Batches(k, len(rows), batch_size, seed)
        self.batch_size = self._shuffled.size
        self.batches = -(-self._shuffled.count // discriminator_steps)
        self.steps = epochs * self.batches
        self._rows: Rows = k.put_rows(rows)
        self._rates = rates_of(dropout, len(model.discriminator.sizes) - 1)
        self._n_latent = model.n_latent
        self._generator = Ascent(k, model.generator, self.optimiser, self.steps)
        steps = self.steps * discriminator_steps
        self._discriminator = Ascent(k, model.discriminator, judging, steps)
        self._deviation = noise
        self._average: Average | None = None
        if averaging != 0.0:
            self._average = Average(k, self._generator.handle, model.generator, averaging)
        self._latent: tuple[int, Rows] = (-1, None)  # a block's number, and what was drawn for it
        self._tallies: tuple[Any, int, Any] | None = None  # the payoff's, rows of data, the generator's

    @property
    def done(self) -> int:
        """Updates so far."""
        return self._generator.done

    @property
    def model(self) -> GAN:
        """Both players as they stand, on the host; raises `Diverged` where one has left all bounds."""
        generator = self._generator.model
        if self._average is not None:
            generator = self._average.model(self._generator.handle)
        return GAN(generator, self._discriminator.model)

    @property
    def info(self) -> dict[str, Any]:
        """What the last update saw, fetched from the device when it is asked for; empty before the first.

        payoff: V in nats of the last batch, before the discriminator's step; discriminator_loss: -V;
        generator_loss: what the generator descends, before its step, nats; accuracy_data and
        accuracy_fakes: shares of that batch's data and fakes which the discriminator told right. All by
        what `dropout` has left of the discriminator, and of what it was shown.
        """
        if self._tallies is None:
            return {}
        payoff, count, climbed = self._tallies
        value, known, mistaken = (float(x) for x in self.k.get_rows(payoff))
        return {
            "payoff": value,
            "discriminator_loss": -value,
            "generator_loss": -float(self.k.get_rows(climbed)[0]),
            "accuracy_data": known / count,
            "accuracy_fakes": 1.0 - mistaken / count,
        }

    def advance(self, updates: int) -> None:
        """Do this many updates; raises `Diverged` where a parameter or a loss leaves all bounds.

        A loss is looked at every `LOOK` updates. `UserError` beyond the planned number of updates.
        """
        check_planned("run", self.done, updates, self.steps)
        for _ in range(updates):
            self._update()

    def state(self) -> State:
        """Everything that decides how the run goes on, on the host; `Diverged` as `advance` raises it."""
        self._check_losses()
        parts = {"G": self._generator.state(), "D": self._discriminator.state()}
        if self._average is not None:
            parts["average"] = self._average.state(self._generator.handle)
        return joined(**parts)

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on, to the same bits, from a `state` of a trainer that was made in the same way."""
        averaged = self._average is not None
        average = part(state, "average", optional=not averaged)
        require(averaged or not average, "the state holds an average: it is of another run")
        self._generator.restore(part(state, "G"))
        self._discriminator.restore(part(state, "D"))
        if self._average is not None:
            self._average.restore(self._generator.handle, average)
        self._tallies = None

    def _update(self) -> None:
        """One update; a function of its own, so that nothing of it is still there at the next."""
        for _ in range(self.discriminator_steps):
            payoff, count = self._discriminate()
        self._tallies = payoff, count, self._generate()
        if self.done % LOOK == 0 or self.done == self.steps:
            self._check_losses()

    def _discriminate(self) -> tuple[Any, int]:
        """A step of the discriminator: the payoff's tally, and rows of data."""
        k, D, dropout = self.k, self._discriminator, self._dropout
        batch = self._shuffled.take(D.done, self._rows)
        fakes = k.outputs(self._generator.handle, self._made(len(batch)))
        through = k.forward(D.handle, self._seen(k.stack(batch, fakes)), dropout)
        loss = k.payoff(D.handle, through, len(batch))
        D.climb(k.backward(D.handle, through, loss.delta))
        return loss.tally, len(batch)

    def _generate(self) -> Any:
        """A step of the generator: the tally of what it climbs."""
        k, G, D = self.k, self._generator, self._discriminator.handle
        made = self._made(self.batch_size)
        judged = k.forward(D, self._seen(k.outputs(G.handle, made)), self._dropout)
        loss = k.logistic(D, judged, *FORMS[self.form])
        G.climb(k.backward(G.handle, made, k.input_delta(D, judged, loss.delta)))
        if self._average is not None:
            self._average.follow(G.handle, G.done)
        return loss.tally

    def _seen(self, rows: Rows) -> Rows:
        """What the discriminator is shown of them in this step."""
        if self._deviation == 0.0:
            return rows
        return self.k.add_noise(rows, self._deviation, Key(self.seed, Stream.INSTANCE_NOISE, self._taken))

    @property
    def _dropout(self) -> Dropout | None:
        """New ones for each step of a player."""
        return Dropout.of_step(self._rates, self.seed, self._taken)

    @property
    def _taken(self) -> int:
        """Steps of both players so far."""
        return self._generator.done + self._discriminator.done

    def _made(self, count: int) -> Any:
        """The generator's activations for `count` rows of noise, new ones for each step of a player."""
        block, place = divmod(self._taken, _AHEAD)
        if self._latent[0] != block:
            key = Key(self.seed, Stream.LATENT, block)
            z = latent(key, _AHEAD * self.batch_size, self._n_latent)
            self._latent = block, self.k.put_rows(z)
        first = place * self.batch_size
        return self.k.forward(self._generator.handle, self._latent[1][first : first + count])

    def _check_losses(self) -> None:
        found = self.info
        if not all(np.isfinite(found[name]) for name in found):
            raise Diverged(f"a loss is no longer finite after {self.done} updates")
