"""Two players against each other: Goodfellow et al. 2014, algorithm 1, with Adam for both.

One update is `discriminator_steps` steps of the discriminator, each on a new batch of data and as many
new fakes, and one of the generator on new noise. Data and fakes go through the discriminator as one
stacked batch: one forward, one backward, and the sum of both gradients at once.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ebmbench.discovery import unknown
from ebmbench.errors import NotFinite, UserError
from ebmbench.kernels.api import Backend, Handle, Rows
from ebmbench.models.gan import FORMS, GAN, latent
from ebmbench.models.mlp import MLP
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.randomness import Key, Stream
from ebmbench.scalar import LARGEST_PARAMETER
from ebmbench.training.adam import Adam
from ebmbench.training.batches import Batches
from ebmbench.training.fit import Diverged

# Radford, Metz & Chintala 2016, section 4.
DEFAULT = Adam(rate=2e-4, beta1=0.5)
LOOK = 100  # updates between two looks at whether the loss is finite: a look has the program wait
_AHEAD = 64  # batches of noise that are drawn and moved to the device at once


class _Player:
    """A network on the device with Adam's two means of its gradients."""

    def __init__(self, k: Backend, model: MLP, optimiser: Adam) -> None:
        self.k, self._optimiser = k, optimiser
        self.model: Handle = k.put(model)
        self.first, self.second = k.zeros(self.model), k.zeros(self.model)

    def climb(self, gradient: Any, step: int, rate: float) -> bool:
        """Step number `step`, from 1; False once a parameter has left all bounds."""
        o = self._optimiser
        return self.k.adam(
            self.model, self.first, self.second, gradient, step, rate, o.beta1, o.beta2, o.epsilon
        )

    def state(self) -> dict[str, np.ndarray]:
        """Parameters and both means, by name."""
        k = self.k
        means = {"first": self.first, "second": self.second}
        return self.host().parameters | {
            f"{which}_{name}": x
            for which, tree in means.items()
            for name, x in k.get_tree(self.model, tree).items()
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from what `state` gave; `UserError` where that is of another network."""
        model = MLP.of(state, self.model.activations)
        if model.sizes != self.model.sizes:
            raise UserError(f"the state is of layers {model.sizes}, but the run of {self.model.sizes}")
        handle = self.k.put(model)
        try:
            first, second = (
                self.k.put_tree(handle, {name: state[f"{which}_{name}"] for name in model.names})
                for which in ("first", "second")
            )
        except KeyError as error:
            raise UserError(f"the state lacks {error.args[0]}") from None
        self.model, self.first, self.second = handle, first, second

    def host(self) -> MLP:
        """The network, on the host; `NotFinite` where it has left all bounds."""
        model = self.k.get(self.model)
        if any(np.abs(x).max() > LARGEST_PARAMETER for x in model.parameters.values()):
            raise NotFinite(f"a parameter is not within ±{LARGEST_PARAMETER:g}")
        return model


class Adversarial:
    """One training run of a GAN on one backend.

    rows: [n, n_visible], in [0, 1] where the generator ends in sigmoid units, else any numbers; form: of
    `FORMS`, what the generator climbs; discriminator_steps: those of an update; epochs: visits to every
    row, which decide the length of the run and of its schedule. An epoch of b batches is
    ceil(b / discriminator_steps) updates. Raises `UserError` for what cannot be.
    """

    def __init__(
        self,
        k: Backend,
        model: GAN,
        rows: np.ndarray,
        form: str = "non_saturating",
        optimiser: Adam | None = None,
        discriminator_steps: int = 1,
        epochs: int = 10,
        batch_size: int = 100,
        seed: int = 0,
    ) -> None:
        if form not in FORMS:
            raise unknown("form", form, list(FORMS))
        require(epochs >= 1, f"the number of epochs must be at least 1, but is {epochs}")
        require(
            isinstance(discriminator_steps, int) and discriminator_steps >= 1,
            f"the number of discriminator steps must be at least 1, but is {discriminator_steps}",
        )
        real = model.generator.activations[-1] != "sigmoid"
        rows = check_rows(rows, model.n_visible, real=real)
        self.k = k
        self.form = form
        self.optimiser = optimiser or DEFAULT
        self.discriminator_steps = discriminator_steps
        self.seed = seed
        self._shuffled = Batches(k, len(rows), batch_size, seed)
        self.batch_size = self._shuffled.size
        self.batches = -(-self._shuffled.count // discriminator_steps)
        self.steps = epochs * self.batches
        self.done = 0
        self._rows: Rows = k.put_rows(rows)
        self._n_latent = model.n_latent
        self._generator = _Player(k, model.generator, self.optimiser)
        self._discriminator = _Player(k, model.discriminator, self.optimiser)
        self._noise: tuple[int, Rows] = (-1, None)  # a block's number, and what was drawn for it
        self._tallies: tuple[Any, int, Any] | None = None  # the payoff's, rows of data, the generator's

    @property
    def model(self) -> GAN:
        """Both players as they stand, on the host; raises `Diverged` where one has left all bounds."""
        try:
            return GAN(self._generator.host(), self._discriminator.host())
        except NotFinite as error:
            raise self._diverged(str(error)) from None

    @property
    def info(self) -> dict[str, Any]:
        """What the last update saw, fetched from the device when it is asked for; empty before the first.

        payoff: V in nats of the last batch, before the discriminator's step; discriminator_loss: -V;
        generator_loss: what the generator descends, before its step, nats; accuracy_data and
        accuracy_fakes: shares of that batch's data and fakes which the discriminator told right.
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
        require(
            self.done + updates <= self.steps,
            f"the run was planned for {self.steps} updates, so {self.done + updates} are too many",
        )
        for _ in range(updates):
            self._update()

    def state(self) -> dict[str, np.ndarray]:
        """Everything that decides how the run goes on, on the host; `Diverged` as `model` raises it."""
        self._check_losses()
        try:
            players = {"G": self._generator.state(), "D": self._discriminator.state()}
        except NotFinite as error:
            raise self._diverged(str(error)) from None
        found = {f"{who}_{name}": x for who, state in players.items() for name, x in state.items()}
        return found | {"done": np.array(self.done)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue where `state` was asked for, to the same bits; `UserError` if it is of another run."""
        require("done" in state, "the state does not say of which update it is")
        done = int(state["done"])
        require(0 <= done <= self.steps, f"the state is of update {done}, but {self.steps} were planned")
        for who, player in (("G", self._generator), ("D", self._discriminator)):
            own = {name.removeprefix(f"{who}_"): x for name, x in state.items() if name[:2] == f"{who}_"}
            player.restore(own)
        self.done, self._tallies = done, None

    def _update(self) -> None:
        """One update; a function of its own, so that nothing of it is still there at the next."""
        rate = self.optimiser.rate_at(self.done, self.steps)
        healthy = True
        for n in range(self.discriminator_steps):
            number = self.done * self.discriminator_steps + n
            payoff, count, climbed_up = self._discriminate(number, rate)
            healthy &= climbed_up
        climbed, moved = self._generate(rate)
        self._tallies = payoff, count, climbed
        self.done += 1
        if not (healthy and moved):
            raise self._diverged(f"a parameter is not within ±{LARGEST_PARAMETER:g}")
        if self.done % LOOK == 0 or self.done == self.steps:
            self._check_losses()

    def _discriminate(self, number: int, rate: float) -> tuple[Any, int, bool]:
        """The discriminator's step `number`, from 0: the payoff's tally, rows of data, and its health."""
        k, D = self.k, self._discriminator
        batch = self._shuffled.take(number, self._rows)
        fakes = k.outputs(self._generator.model, self._made(number + self.done, len(batch)))
        through = k.forward(D.model, k.stack(batch, fakes))
        loss = k.payoff(D.model, through, len(batch))
        healthy = D.climb(k.backward(D.model, through, loss.delta), number + 1, rate)
        return loss.tally, len(batch), healthy

    def _generate(self, rate: float) -> tuple[Any, bool]:
        """The generator's step: the tally of what it climbs, and its health."""
        k, G, D = self.k, self._generator, self._discriminator.model
        made = self._made((self.done + 1) * (self.discriminator_steps + 1) - 1, self.batch_size)
        judged = k.forward(D, k.outputs(G.model, made))
        loss = k.logistic(D, judged, *FORMS[self.form])
        gradient = k.backward(G.model, made, k.input_delta(D, judged, loss.delta))
        return loss.tally, G.climb(gradient, self.done + 1, rate)

    def _made(self, draw: int, count: int) -> Any:
        """The generator's activations for `count` rows of the noise drawn as number `draw` of the run."""
        block, place = divmod(draw, _AHEAD)
        if self._noise[0] != block:
            key = Key(self.seed, Stream.LATENT, block)
            z = latent(key, _AHEAD * self.batch_size, self._n_latent)
            self._noise = block, self.k.put_rows(z)
        first = place * self.batch_size
        return self.k.forward(self._generator.model, self._noise[1][first : first + count])

    def _check_losses(self) -> None:
        found = self.info
        if not all(np.isfinite(found[name]) for name in found):
            raise self._diverged("a loss is no longer finite")

    def _diverged(self, what: str) -> Diverged:
        return Diverged(f"{what} after {self.done} updates")
