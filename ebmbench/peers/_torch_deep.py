"""Training of deep belief networks and of deep Boltzmann machines in torch, without a tape."""

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from ebmbench.models.dbm import DBM
from ebmbench.models.dbn import DBN
from ebmbench.peers import Place, Work
from ebmbench.peers._torch import Prepare, epoch, package, prepared, tensor, work
from ebmbench.peers._torch_rbm import Training


def dbn(
    prepare: Prepare, place: Place, model: DBN, rows: np.ndarray, persistent: bool, batch: int,
    updates: int, rate: float, momentum: float,
) -> Work:  # fmt: skip
    """See the package."""
    data = tensor(place, rows)
    standing = [[tensor(place, x) for x in (layer.W, layer.c)] for layer in model.layers]
    layers = []
    for n, layer in enumerate(model.layers):
        drawn = _Drawn(data, standing[:n])
        chains = drawn.rows[:batch].clone() if persistent else None
        one = Training(prepare, place, layer, drawn.rows, chains, batch, 1, rate, momentum)
        run = epoch(place, len(data), batch, updates, one.load, one.step, drawn.renew)
        layers.append((one, drawn, run))

    def run_all() -> None:
        for _, _, run in layers:
            run()

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = {}
        for n, (one, drawn, _) in enumerate(layers, 1):
            found |= {f"{name}{n}": x for name, x in one.shown.items()}
            found[f"given{n}"] = drawn.given[one.index]
        return found

    return work(place, run_all, shown)


class _Drawn:
    """The rows of a DBN's layer: hidden units of the layers below, drawn upwards from the data.

    layers: W and c of those below; given: the states that the rows were drawn from.
    """

    def __init__(self, data: Any, layers: list[list[Any]]) -> None:
        self._data, self._layers = data, layers
        self.rows = self.given = data
        if layers:
            self.rows = data.new_empty(len(data), len(layers[-1][1]))
            self.renew()

    def renew(self) -> None:
        """Draw them again."""
        torch, states = package(), self._data
        for W, c in self._layers:
            self.given = states
            p = torch.addmm(c, states, W).sigmoid_()
            states = torch.rand_like(p).lt_(p)
        if self._layers:
            self.rows.copy_(states)


class _Layers:
    """The layers of a DBM: what each makes of its neighbours, even and odd ones in turn."""

    def __init__(self, place: Place, model: DBM) -> None:
        self.torch = package()
        self.weights = [tensor(place, W) for W in model.weights]
        self.biases = [tensor(place, b) for b in model.biases]
        self.names = model.names

    def input(self, n: int, layers: list[Any], known: Any = None) -> Any:
        """Of layer n from its neighbours, None where they are silent.

        known: the bias and what comes from below, where that is there already.
        """
        x = self.biases[n] if known is None else known
        if known is None and n and layers[n - 1] is not None:
            x = self.torch.addmm(x, layers[n - 1], self.weights[n - 1])
        if n < len(self.weights) and layers[n + 1] is not None:
            x = self.torch.addmm(x, layers[n + 1], self.weights[n].T)
        return x

    def means(self, v: Any, sweeps: int) -> list[Any]:
        """Of all layers given v after so many updates of mean field and one more of the odd layers."""
        count = len(self.biases)
        layers = [v, *([None] * (count - 1))]
        from_v = self.torch.addmm(self.biases[1], v, self.weights[0])  # v stands still
        for sweep in range(sweeps + 1):
            for n in range(1, count, 2):
                layers[n] = self._mean(self.input(n, layers, from_v if n == 1 else None), len(v))
            if sweep < sweeps:
                for n in range(2, count, 2):
                    layers[n] = self._mean(self.input(n, layers), len(v))
        return layers

    def _mean(self, x: Any, rows: int) -> Any:
        return self.torch.sigmoid(x.expand(rows, -1))

    def draw(self, n: int, layers: list[Any]) -> None:
        """States of layer n given its neighbours, in place."""
        p = self.input(n, layers).sigmoid_()
        layers[n].uniform_().lt_(p)


def dbm(
    prepare: Prepare, place: Place, model: DBM, rows: np.ndarray, chains: np.ndarray, batch: int,
    updates: int, mean_field: int, sweeps: int, rate: float, momentum: float,
) -> Work:  # fmt: skip
    """See the package."""
    torch = package()
    with torch.no_grad():
        torch.manual_seed(0)
        machine = _Layers(place, model)
        parameters = [*machine.weights, *machine.biases]
        velocity = [torch.zeros_like(x) for x in parameters]
        speeds_W, speeds_b = velocity[: len(machine.weights)], velocity[len(machine.weights) :]
        data = tensor(place, rows)
        positive = data[:batch].clone()
        states = [positive.new_empty(len(chains), n) for n in model.sizes]
        ends = np.cumsum(model.sizes[0::2])
        for n, part in enumerate(np.split(chains, ends[:-1], axis=1)):
            states[2 * n].copy_(tensor(place, part))
        even, odd = range(0, len(states), 2), range(1, len(states), 2)
        last: dict[str, Any] = {"means": [torch.empty_like(positive)]}

        def update() -> None:
            means = machine.means(positive, mean_field)
            for _ in range(sweeps):
                for side in (odd, even):
                    for n in side:
                        machine.draw(n, states)
            fantasy = list(states)
            for n in odd:
                fantasy[n] = machine.input(n, states).sigmoid_()
            last["means"] = means
            for W, speed, given, made in zip(
                machine.weights, speeds_W, pairwise(means), pairwise(fantasy), strict=True
            ):
                speed.addmm_(given[0].T, given[1], beta=momentum, alpha=rate / batch)
                W.add_(speed.addmm_(made[0].T, made[1], alpha=-rate / len(chains)))
            for b, speed, given, made in zip(machine.biases, speeds_b, means, fantasy, strict=True):
                b.add_(speed.mul_(momentum).add_(given.mean(0) - made.mean(0), alpha=rate))

        step = prepared(prepare, update, [*parameters, *velocity, *states])
        load = partial(torch.index_select, data, 0, out=positive)
        run = epoch(place, len(data), batch, updates, load, step)

    def shown() -> dict[str, Any]:
        found = dict(zip(machine.names, (*machine.weights, *machine.biases), strict=True))
        sides = {"chains": states[0::2], "h": states[1::2], "means": last["means"][0::2]}
        return found | {name: torch.cat(parts, 1) for name, parts in sides.items()}

    return work(place, run, shown)
