"""GANs: the payoff, both players' gradients, the best discriminator, and the alternating steps."""

import dataclasses

import numpy as np
import pytest
from conftest import complaint, overwrite, random_rows, with_job
from scipy.special import expit

from ebmbench.models.gan import FORMS, GAN, latent, payoff
from ebmbench.models.mlp import MLP, forward
from ebmbench.randomness import Key, Stream
from ebmbench.training.adam import Adam
from ebmbench.training.adversarial import LOOK, Adversarial
from ebmbench.training.ascent import Diverged
from ebmbench.training.initial import initial_gan, initial_network
from ebmbench.training.sgd import SGD

pytestmark = pytest.mark.usefixtures("one_thread")

FUNCTIONS = {
    "linear": lambda x: x,
    "sigmoid": expit,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
}
ROWS = random_rows(11, 5, seed=3)
BATCH = 4  # so that an epoch ends on a batch of three


def small(seed=1, activations=("tanh", "sigmoid", "tanh")):
    """A GAN of 5 visible units with smooth layers, so that differences converge."""
    first, last, inner = activations
    G = initial_network((3, 6, 5), (first, last), seed)
    return GAN(G, initial_network((5, 7, 1), (inner, "linear"), seed, 2))


def through(parameters, activations, x):
    """What a network of these parameters gives, from the definition."""
    for n, name in enumerate(activations, 1):
        x = FUNCTIONS[name](x @ parameters[f"W{n}"] + parameters[f"c{n}"])
    return x


def differences(objective, parameters, step=1e-5):
    """The gradient of a function of named parameters, central differences."""
    found = {}
    for name, values in parameters.items():
        gradient = np.zeros_like(values)
        for place in np.ndindex(*values.shape):
            ends = []
            for sign in (1.0, -1.0):
                moved = {**parameters, name: values.copy()}
                moved[name][place] += sign * step
                ends.append(objective(moved))
            gradient[place] = (ends[0] - ends[1]) / (2.0 * step)
        found[name] = gradient
    return found


def flat(gan):
    return np.concatenate([x.ravel() for x in gan.parameters.values()])


# --- the payoff ---------------------------------------------------------------------------------


def test_payoff_is_the_definition():
    x = np.random.default_rng(0).normal(0.0, 2.0, (9, 1))

    def value(x):
        return np.log(expit(x[:4])).mean() + np.log(1.0 - expit(x[4:])).mean()

    loss = payoff(x, 4)
    assert loss.tally.tolist() == [pytest.approx(value(x)), (x[:4] > 0).sum(), (x[4:] > 0).sum()]
    wanted = differences(lambda p: value(p["x"]), {"x": x})["x"]
    np.testing.assert_allclose(loss.delta, wanted, rtol=0, atol=1e-9)


def test_the_best_discriminators_payoff_is_a_divergence(k):
    """2 JSD - 2 log 2 (Goodfellow et al. 2014, theorem 1) on five states, whose logits are the weights.

    Batches hold the states in exactly the laws' proportions. Float32: logits of size 2 to within 2e-7.
    """
    p, q = np.array([1, 2, 3, 1, 1]), np.array([3, 1, 1, 2, 1])
    rows = np.vstack([np.repeat(np.eye(5), p, axis=0), np.repeat(np.eye(5), q, axis=0)])
    best = k.put(MLP((np.log(p / q)[:, None],), (np.zeros(1),), ("linear",)))
    activations = k.forward(best, k.stack(k.put_rows(rows[:8]), k.put_rows(rows[8:])))
    loss = k.payoff(best, activations, 8)
    p, q = p / 8, q / 8
    middle = (p + q) / 2
    divergence = ((p * np.log(p / middle)).sum() + (q * np.log(q / middle)).sum()) / 2
    tally = k.get_rows(loss.tally)
    assert tally[0] == pytest.approx(2 * divergence - 2 * np.log(2), abs=1e-6)
    assert tally[1:].tolist() == [8 * p[p > q].sum(), 8 * q[p > q].sum()]
    # No step leads upwards: neither of the weights nor of the bias.
    gradient = k.get_tree(best, k.backward(best, activations, loss.delta))
    assert max(np.abs(x).max() for x in gradient.values()) < 1e-6


def test_stacked_rows(k):
    """Of every pair of kinds, as `put_rows` tells them apart."""
    kinds = random_rows(3, 5), np.linspace(-1.0, 2.0, 10, dtype=np.float32).reshape(2, 5)
    for first in kinds:
        for second in kinds:
            found = k.stack(k.put_rows(first), k.put_rows(second))
            assert len(found) == len(first) + len(second)
            assert (k.get_rows(found) == np.vstack([first, second])).all()
    assert "second" in complaint(k.stack, k.put_rows(kinds[0]), k.put_rows(kinds[1][:, :4].copy()))


def test_noise_is_uniform_and_exact_in_float32():
    z = latent(Key(1, Stream.LATENT), 4000, 3)
    assert z.dtype == np.float32
    assert np.abs(z).max() < 1.0
    # 12,000 uniforms: standard errors 0.0053 of the mean and 0.0027 of the variance 1/3.
    assert abs(z.mean()) < 4 * 0.0053
    assert abs(z.var() - 1 / 3) < 4 * 0.0027


# --- both players' steps ------------------------------------------------------------------------


class Watched:
    """A backend that notes rows of data and fakes, the noise, and what Adam was given and made of it."""

    def __init__(self, k):
        self.noise, self.data, self.fakes, self.steps = [], [], [], []

        def stack(first, second):
            self.data.append(k.get_rows(first))
            self.fakes.append(k.get_rows(second))
            return k.device["stack"](first, second)

        def forward_job(original, model, x, dropout):
            if model.sizes[0] == 3:
                self.noise.append(k.get_rows(x).astype(float))
            return original(model, x, dropout)

        def adam(original, model, first, second, gradient, step, rate, *rest):
            before, gradient_found = k.get(model).parameters, k.get_tree(model, gradient)
            healthy = original(model, first, second, gradient, step, rate, *rest)
            self.steps.append((before, gradient_found, k.get(model).parameters, step, rate))
            return healthy

        k = with_job(with_job(k, "adam", adam), "forward", forward_job)
        self.k = dataclasses.replace(k, device={**k.device, "stack": stack})


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("form", FORMS)
def test_each_player_follows_the_payoffs_gradient(k, form, steps):
    """Two epochs, short batches among them: each step goes along the differences of V.

    Differences of 1e-5 in float64 are good to 1e-9, gradients below 1 in float32 to 1e-5.
    """
    watched, gan = Watched(k), small()
    run = Adversarial(watched.k, gan, ROWS, form, Adam(0.01, schedule="linear"), steps, 2, BATCH, 5)
    assert (run.batches, run.steps) == ((3, 6) if steps == 1 else (2, 4))
    run.advance(run.steps)
    functions = gan.generator.activations, gan.discriminator.activations
    generator, discriminator = gan.generator.parameters, gan.discriminator.parameters
    for number, (before, gradient, after, count, rate) in enumerate(watched.steps):
        z = watched.noise[number]
        update, place = divmod(number, steps + 1)
        done = (count - 1) / (run.steps * (steps if place < steps else 1))  # of this player's steps
        assert rate == pytest.approx(0.01 * (1 - done))
        if place < steps:
            batch = update * steps + place
            data, fakes = watched.data[batch], through(generator, functions[0], z)
            np.testing.assert_allclose(watched.fakes[batch], fakes, rtol=0, atol=1e-5)
            assert (len(data), count) == (len(fakes), batch + 1)

            def objective(own, data=data, fakes=fakes):
                x, y = (through(own, functions[1], rows) for rows in (data, fakes))
                return np.log(expit(x)).mean() + np.log(1.0 - expit(y)).mean()

            mine, discriminator = discriminator, after
        else:
            assert (len(z), count) == (BATCH, update + 1)

            def objective(own, z=z, judge=discriminator):
                y = through(judge, functions[1], through(own, functions[0], z))
                if form == "minimax":
                    return -np.log(1.0 - expit(y)).mean()
                return np.log(expit(y)).mean()

            mine, generator = generator, after
        for name, wanted in differences(objective, before).items():
            np.testing.assert_allclose(before[name], mine[name], rtol=0, atol=1e-7)  # float32 at first
            np.testing.assert_allclose(gradient[name], wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2])
def test_every_row_is_seen_once_an_epoch_and_no_noise_twice(k, steps):
    watched = Watched(k)
    rows = np.arange(55.0).reshape(11, 5) / 55.0
    run = Adversarial(watched.k, small(), rows, "minimax", None, steps, 40, BATCH, 5)
    run.advance(40)
    first, second = (np.vstack(watched.data[n : n + 3]) for n in (0, 3))
    for epoch in (first, second):
        np.testing.assert_allclose(np.sort(epoch, axis=0), rows, rtol=0, atol=1e-6)
    assert (first != second).any()
    z = np.vstack(watched.noise)
    assert len(np.unique(z, axis=0)) == len(z) > 64 * BATCH  # so that noise was drawn more than once


def test_info_is_what_the_last_update_saw(k):
    watched, gan = Watched(k), small()
    run = Adversarial(watched.k, gan, ROWS, "non_saturating", None, 1, 1, BATCH, 5)
    assert run.info == {}
    run.advance(1)
    (D, _, moved, _, _), (G, *_) = watched.steps
    functions = gan.generator.activations, gan.discriminator.activations
    x, y = (through(D, functions[1], rows[0]) for rows in (watched.data, watched.fakes))
    z = through(moved, functions[1], through(G, functions[0], watched.noise[1]))
    value = np.log(expit(x)).mean() + np.log(1 - expit(y)).mean()
    assert run.info == {
        "payoff": pytest.approx(value, abs=1e-5),
        "discriminator_loss": pytest.approx(-value, abs=1e-5),
        "generator_loss": pytest.approx(-np.log(expit(z)).mean(), abs=1e-5),
        "accuracy_data": (x > 0).mean(),
        "accuracy_fakes": (y <= 0).mean(),
    }


# --- runs ---------------------------------------------------------------------------------------


def test_the_best_discriminator_of_a_known_problem_is_reached(k):
    """Data of density p = (1 + x)³ / 4, fakes uniform on [-1, 1]: D = p / (p + q) = p / (p + 1/2).

    1,000 steps of the discriminator alone, which an update of that many is until its last step. What
    remains is the noise of the last batches: at most 0.013 with seeds 0 to 3 on the reference.
    """
    n = 2000
    data = 2.0 * ((np.arange(n) + 0.5) / n)[:, None] ** 0.25 - 1.0
    fixed = MLP(([[1.0]],), ([0.0],), ("linear",))
    start = GAN(fixed, initial_network((1, 32, 1), ("leaky_relu", "linear"), 2))
    run = Adversarial(k, start, data, "minimax", Adam(0.01), 1000, 1000, 500, 2)
    run.advance(1)
    x = np.linspace(-0.95, 0.95, 39)[:, None]
    p = (1 + x) ** 3 / 4
    found = [expit(forward(gan.discriminator, x).outputs) for gan in (start, run.model)]
    errors = [np.abs(D - p / (p + 0.5)).max() for D in found]
    assert errors[0] > 0.3
    assert errors[1] < 0.03


@pytest.mark.parametrize("form", FORMS)
def test_a_gan_learns_the_mean_of_a_mixture(k, form):
    """Of two normals in the plane, 3.35 apart. Seeds 0 to 3 end within 0.14 of the data's mean.

    The data's standard deviations are 1.4 and 0.75, the samples' at the end 0.8 to 1.4 times those.
    """
    rng = np.random.default_rng(0)
    centres = np.array([[2.0, 0.0], [-1.0, 1.5]])
    data = centres[(rng.random(2000) < 0.3).astype(int)] + 0.3 * rng.normal(size=(2000, 2))
    start = initial_gan(2, 4, (32,), (32,), 1, "linear")
    run = Adversarial(k, start, data, form, Adam(0.002, 0.5, schedule="linear"), 1, 50, 100, 1)
    run.advance(run.steps)
    z = latent(Key(9, Stream.SAMPLES), 4000, 4)
    before, after = (forward(gan.generator, z).outputs.mean(axis=0) for gan in (start, run.model))
    assert np.abs(before - data.mean(axis=0)).max() > 0.6
    assert np.abs(after - data.mean(axis=0)).max() < 0.3


def fitted(k, *parts, seed=3, **options):
    run = Adversarial(k, small(), ROWS, batch_size=BATCH, epochs=60, seed=seed, **options)
    for updates in parts:
        run.advance(updates)
        assert np.isfinite(flat(run.model)).all()  # a look in between changes nothing
    return run


def test_updates_add_up_and_the_seed_decides(k):
    whole = flat(fitted(k, 100).model)
    assert (flat(fitted(k, 1, 63, 36).model) == whole).all()
    assert (flat(fitted(k, 100, seed=4).model) != whole).any()


@pytest.mark.parametrize("done", [0, 31, 75])
def test_a_restored_run_goes_on_to_the_same_bits(k, done):
    """From within a block of noise and an epoch as from their ends; the state has been through a file."""
    options = {"discriminator_steps": 2, "optimiser": Adam(0.01, schedule="linear")}
    whole, first = fitted(k, 100, **options), fitted(k, done, **options)
    kept = first.state()
    assert all(isinstance(x, np.ndarray) for x in kept.values())
    first.advance(3)  # what was kept is a copy
    second = fitted(k, 17, **options)  # and what it did before is forgotten
    second.restore(kept)
    assert (second.done, second.info) == (done, {})
    second.advance(100 - done)
    assert (flat(second.model) == flat(whole.model)).all()
    assert (flat(whole.model) != flat(fitted(k, done, **options).model)).any()
    assert second.info == whole.info


def test_every_setting_changes_the_outcome(k):
    options = [{}, {"form": "minimax"}, {"discriminator_steps": 2}, {"optimiser": Adam(2e-4, 0.9)}]
    options += [{"optimiser": SGD(0.1)}, {"judging": Adam(6e-4, 0.5)}]
    ends = [flat(fitted(k, 20, **option).model) for option in options]
    for number, first in enumerate(ends):
        for second in ends[:number]:
            assert (first != second).any()


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1e30, 1e8])
def test_a_run_that_diverges_says_so(k, rate):
    """And gives no state that would take the place of a good one."""
    run = fitted(k, optimiser=Adam(rate))
    with pytest.raises(Diverged, match=r"after \d+ updates"):
        run.advance(150)
    assert run.done < 10
    with pytest.raises(Diverged, match="after"):
        run.state()
    with pytest.raises(Diverged, match="after"):
        _ = run.model


@pytest.mark.parametrize("job", ["payoff", "logistic"])
def test_a_loss_that_is_not_finite_stops_a_run(k, job):
    """At the next look, or when the state is asked for."""

    def spoilt(original, *given):
        loss = original(*given)
        overwrite(loss.tally, np.full(loss.tally.shape, np.nan, loss.tally.dtype))
        return loss

    run = fitted(with_job(k, job, spoilt))
    run.advance(LOOK - 1)
    with pytest.raises(Diverged, match=f"loss .* after {LOOK - 1} updates"):
        run.state()
    with pytest.raises(Diverged, match=f"loss .* after {LOOK} updates"):
        run.advance(1)


BAD = {
    "number of epochs": {"epochs": 0},
    "batch size": {"batch_size": 0},
    "discriminator steps": {"discriminator_steps": 0},
    "5 visible units": {"rows": random_rows(4, 6)},
    "did you mean 'minimax'": {"form": "minimaks"},
    "the seed": {"seed": -1},
    "no rows": {"rows": np.zeros((0, 5), np.uint8)},
    "not finite": {"rows": np.full((4, 5), np.nan, np.float32)},
    "centring": {"optimiser": SGD(centred=True)},
    "centring is": {"judging": SGD(centred=True)},
    "outside [0, 1]": {"rows": np.full((4, 5), 1.5)},
}


@pytest.mark.parametrize(("words", "wrong"), BAD.items(), ids=BAD)
def test_a_run_that_cannot_be_is_named(k, words, wrong):
    assert words in complaint(Adversarial, **({"k": k, "model": small(), "rows": ROWS} | wrong))


def test_a_linear_generator_takes_any_rows(k):
    run = Adversarial(k, small(activations=("tanh", "linear", "tanh")), np.full((4, 5), -7.5), epochs=1)
    run.advance(1)
    assert run.done == 1


def test_a_state_of_another_run_is_named(k):
    run, before = fitted(k, 5), fitted(k, 5).state()
    other = Adversarial(k, initial_gan(5, 3, (6,), (8,)), ROWS, batch_size=BATCH).state()
    assert "shape" in complaint(run.restore, other)
    for missing in ("G.", "D.second."):
        parts = {name: x for name, x in before.items() if not name.startswith(missing)}
        assert "another run" in complaint(run.restore, parts)
    assert "too many" in complaint(run.advance, 1000)
    assert "whole one of at least 0" in complaint(run.advance, 2.5)
    after = run.state()
    assert all((after[name] == before[name]).all() for name in before)


def test_players_that_do_not_fit_are_named():
    gan = small()
    assert "gives 5 numbers" in complaint(GAN, gan.generator, initial_network((4, 1), ("linear",), 0))
    two = initial_network((5, 2), ("linear",), 0)
    squashed = initial_network((5, 1), ("sigmoid",), 0)
    for wrong in (two, squashed):
        assert "must end in one linear unit" in complaint(GAN, gan.generator, wrong)


# --- where networks start -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("activation", "gain"), [("relu", 2.0), ("leaky_relu", 2.0 / 1.04), ("sigmoid", 1.0)]
)
def test_initial_weights_have_their_variance(activation, gain):
    """60,000 normals: the variance has a relative error of (2 / 60,000)**0.5 = 0.6 %."""
    network = initial_network((300, 200, 1), (activation, "linear"), 1)
    assert network.weights[0].var() == pytest.approx(gain / 300, rel=0.024)
    assert (network.biases[0] == 0).all()


def test_activations_keep_their_size_from_layer_to_layer():
    """The mean square of a deep stack's pre-activations, within what 500 units' chance allows."""
    for name in ("relu", "leaky_relu"):
        deep = initial_network((500,) * 7, (name,) * 6, 2)
        layers = forward(deep, np.random.default_rng(0).normal(size=(200, 500))).given
        last = (layers[-2] @ deep.weights[-1]) ** 2
        assert 0.5 < last.mean() / 2 / (1.0 if name == "relu" else 1 / 1.04) < 2.0


def test_no_two_layers_start_alike():
    gan = initial_gan(20, 20, (20, 20), (20, 20), 1)
    square = [W for W in gan.parameters.values() if W.shape == (20, 20)]
    assert len(square) == 5
    drawn = [np.round(W / W.std(), 6) for W in square]
    assert all((a != b).any() for n, a in enumerate(drawn) for b in drawn[:n])
    assert (initial_gan(20, 20, (20,), (20,), 2).generator.weights[0] != square[0]).any()
    for sizes, words in (((5,), "size"), ((5, 0), "at least 1"), ((5, 2.0), "at least 1")):
        assert words in complaint(initial_network, sizes, ("linear",), 0)
    assert "activations" in complaint(initial_network, (5, 2), (), 0)
