"""Noise on what a discriminator is shown, and the average of a generator over its updates."""

import numpy as np
import pytest
from conftest import backend, complaint, random_rows, with_job
from test_network_kernels import SIZES

from ebmbench import datasets
from ebmbench.harness import recipes
from ebmbench.harness.gate_networks import network
from ebmbench.models.mlp import MLP
from ebmbench.models.storage import load_model
from ebmbench.randomness import Key, Stream, normals
from ebmbench.training.adam import Adam
from ebmbench.training.adversarial import DEFAULT, Adversarial
from ebmbench.training.average import Average
from ebmbench.training.initial import initial_gan

ROWS = random_rows(11, 5, seed=3)
BATCH = 4  # so that an epoch ends on a batch of three


def game(k, noise=0.0, averaging=0.0, epochs=4, steps=1):
    return Adversarial(
        k, initial_gan(5, 3, [6], [7], 1), ROWS, "non_saturating", Adam(0.01), steps, epochs, BATCH, 5,
        noise=noise, averaging=averaging,
    )  # fmt: skip


@pytest.mark.parametrize("rows", [random_rows(9, 7), normals(Key(1, 0), 9, 7)], ids=["binary", "real"])
def test_noise_is_what_the_contract_says(k, rows):
    """The same for each row wherever it stands: float32 normal numbers below 6, to within 2**-21."""
    key = Key(3, Stream.INSTANCE_NOISE, 2**33 + 1, 5)
    found = k.get_rows(k.add_noise(k.put_rows(rows), 0.5, key))
    np.testing.assert_allclose(found, rows + 0.5 * normals(key, 9, 7), rtol=0, atol=2e-6)
    part = k.get_rows(k.add_noise(k.put_rows(rows[4:]), 0.5, key._replace(chain=9)))
    np.testing.assert_array_equal(part, found[4:])


def test_noise_on_no_rows(k):
    none = k.put_rows(np.empty((0, 5), np.float32))
    assert k.get_rows(k.add_noise(none, 1.0, Key(1, Stream.INSTANCE_NOISE))).shape == (0, 5)


def test_no_noise_is_the_rows(k):
    found = k.get_rows(k.add_noise(k.put_rows(ROWS), 0.0, Key(1, Stream.INSTANCE_NOISE)))
    np.testing.assert_array_equal(found, ROWS)


def shown(k, noise, steps):
    """A run to its end, what its discriminator saw, and what the rows were before; in order."""
    seen, clean = [], []

    def forward(original, model, x, dropout):
        if model.sizes[0] == 5:
            seen.append(k.get_rows(x).astype(float))
        return original(model, x, dropout)

    def outputs(original, model, activations):
        found = original(model, activations)
        clean.append(k.get_rows(found).astype(float))
        return found

    run = game(with_job(with_job(k, "forward", forward), "outputs", outputs), noise, steps=steps)
    run.advance(run.steps)
    return run, seen, clean


@pytest.mark.parametrize("steps", [1, 2])
def test_data_and_fakes_are_shown_with_other_noise_in_each_step(k, steps):
    run, seen, fakes = shown(k, 0.5, steps)
    assert len(seen) == len(fakes) == (steps + 1) * run.steps
    for step, (rows, made) in enumerate(zip(seen, fakes, strict=True)):
        clean = rows - 0.5 * normals(Key(5, Stream.INSTANCE_NOISE, step), len(rows), 5)
        np.testing.assert_allclose(clean[-len(made) :], made, rtol=0, atol=2e-6)
        data = clean[: -len(made)]
        judging = step % (steps + 1) < steps  # the discriminator's steps come first
        assert len(data) == (len(made) if judging else 0)
        assert all(np.abs(ROWS - row).max(axis=1).min() < 2e-6 for row in data)


def test_the_generator_climbs_through_the_noise(k):
    """Its gradient is the derivative at the rows that were shown, not at those that it made."""
    steps = []

    def input_delta(original, model, activations, delta):
        found = original(model, activations, delta)
        steps.append((k.get(model), k.get_rows(activations.given[0]), k.get_rows(found)))
        return found

    run = game(with_job(k, "input_delta", input_delta), 0.5)
    run.advance(1)
    (D, shown_rows, found), epsilon = steps[0], 1e-3

    def climbed(x):
        for W, c, name in zip(D.weights, D.biases, D.activations, strict=True):
            x = x.astype(float) @ W + c
            x = np.where(x > 0, x, 0.2 * x) if name == "leaky_relu" else x
        return -np.logaddexp(0.0, -x[:, 0]).mean()

    for r, i in ((0, 0), (1, 4), (3, 2)):
        ends = []
        for sign in (1, -1):
            moved = shown_rows.astype(float)
            moved[r, i] += sign * epsilon
            ends.append(climbed(moved))
        assert found[r, i] == pytest.approx((ends[0] - ends[1]) / (2 * epsilon), abs=1e-4)


def test_an_average_slides(k):
    model = network(SIZES, ("relu", "linear"))
    handle = k.put(model)
    mean = k.put_tree(handle, {name: 3.0 * x for name, x in model.parameters.items()})
    k.average(handle, mean, 0.25)
    for name, found in k.get_tree(handle, mean).items():
        np.testing.assert_allclose(found, 2.5 * model.parameters[name], rtol=1e-6)
    for share in (-0.1, 1.1, float("nan")):
        assert "slides by a share" in complaint(k.average, handle, mean, share)


def test_the_model_has_the_mean_of_the_generators(k):
    """By the recursion of Shamir & Zhang 2013, (eta + 1) / (n + eta), at eta = 1."""
    averaged, generator = (game(k, averaging=share, epochs=6) for share in (0.5, 0.0))
    wanted = {name: x.copy() for name, x in generator.model.generator.parameters.items()}
    for n in range(1, generator.steps + 1):
        generator.advance(1)
        new = 2.0 / (n + 1)
        for name, x in generator.model.generator.parameters.items():
            wanted[name] = (1 - new) * wanted[name] + new * x
    averaged.advance(averaged.steps)
    found = averaged.model
    for name, x in found.generator.parameters.items():
        np.testing.assert_allclose(x, wanted[name], rtol=0, atol=1e-5)
        assert np.abs(x - generator.model.generator.parameters[name]).max() > 1e-3 or name[0] == "c"
    for name, x in found.discriminator.parameters.items():
        np.testing.assert_array_equal(x, generator.model.discriminator.parameters[name])


def test_the_mean_of_all_updates_counts_each_alike(k):
    averaged, generator = (game(k, averaging=share) for share in (1.0, 0.0))
    averaged.advance(averaged.steps)
    passed = []
    for _ in range(generator.steps):
        generator.advance(1)
        passed.append(generator.model.generator.parameters["W1"])
    np.testing.assert_allclose(averaged.model.generator.weights[0], np.mean(passed, axis=0), atol=1e-5)


def test_a_long_runs_mean_does_not_stand_still(k):
    """A weight that moves once, after 2,000 of 20,000 updates: float32 would lose steps of 1 / 20,000.

    Of steps of 1/2048 of 0.0005 it rounds those of weights from 1/2 to 1 by an eighth at most.
    """
    start = network(SIZES, ("relu", "linear"))
    moved = {name: x + 0.0005 for name, x in start.parameters.items()}
    handles = k.put(start), k.put(MLP.of(moved, start.activations))
    average = Average(k, handles[0], start, 1.0)
    for n in range(1, 20001):
        average.follow(handles[n > 2000], n)
    for name, x in average.model(handles[0]).parameters.items():
        found = (x - start.parameters[name].astype(np.float32)) / 0.0005
        np.testing.assert_allclose(found, 0.9, rtol=0, atol=0.1)


def test_a_state_of_a_run_without_an_average_is_another_runs(k):
    plain, averaged = game(k), game(k, averaging=0.5)
    for run in (plain, averaged):
        run.advance(3)
    for run, other in ((plain, averaged), (averaged, plain)):
        before = run.model.generator.weights[0]
        assert "average" in complaint(run.restore, other.state())
        assert run.done == 3
        np.testing.assert_array_equal(run.model.generator.weights[0], before)
    state = averaged.state()
    del state["average.W2"]
    assert "average of" in complaint(averaged.restore, state)


def test_a_run_with_noise_and_an_average_goes_on_to_the_same_bits(k):
    whole, first, second = (game(k, 0.5, 0.6) for _ in range(3))
    whole.advance(whole.steps)
    first.advance(5)
    second.restore(first.state())
    second.advance(second.steps - 5)
    for name, values in whole.model.parameters.items():
        np.testing.assert_array_equal(second.model.parameters[name], values)


def test_what_cannot_be_is_named(k):
    rows = k.put_rows(ROWS)
    for noise in (-0.1, 1e39, float("nan"), float("inf")):
        assert "standard deviation" in complaint(game, k, noise)
        assert "standard deviation" in complaint(k.add_noise, rows, noise, Key(1, Stream.INSTANCE_NOISE))
    assert "seed" in complaint(k.add_noise, rows, 1.0, Key(-1, Stream.INSTANCE_NOISE))
    for averaging in (1.1, -0.1, float("nan")):
        assert "averaging must be" in complaint(game, k, 0.0, averaging)
    for table, words in (
        ({"discriminator_noise": -1.0}, "standard deviation"),
        ({"averaging": 1.5}, "from 0 to 1"),
    ):
        assert words in complaint(recipes.of, "gan", [], {"players": table})
    told = recipes.of("gan", [], {"players": {"discriminator_noise": 0.5, "averaging": 0.9}}).label
    assert told.endswith("instance noise 0.5, averaged 0.9")


def bars_and_stripes():
    """Three epochs of the GAN that the command line and a recipe are asked for."""
    k, rows = backend("reference"), datasets.load("bars_and_stripes").train
    run = Adversarial(
        k, initial_gan(16, 3, [8, 6], [6, 8], 0), rows, optimiser=Adam(0.01, DEFAULT.beta1), epochs=3,
        batch_size=10, noise=0.25, averaging=0.75,
    )  # fmt: skip
    run.advance(run.steps)
    return run.model.parameters


def test_a_recipe_hands_both_on():
    players = {"generator": [8, 6], "discriminator": [6, 8], "latent": 3, "epochs": 3, "rate": 0.01}
    players |= {"discriminator_noise": 0.25, "averaging": 0.75}
    recipe = recipes.of("gan", [], {"players": players})
    given = recipes.Given(backend("reference"), datasets.load("bars_and_stripes"), 10, 0)
    run = recipe.phases[0].make(given, None)
    run.advance(run.steps)
    for name, values in bars_and_stripes().items():
        np.testing.assert_array_equal(run.model.parameters[name], values)


def test_the_command_line_hands_both_on(ebmbench, tmp_path):
    out = tmp_path / "gan.npz"
    status, _, err = ebmbench(
        *("train", "--model", "gan", "--dataset", "bars_and_stripes", "--backend", "reference"),
        *("--hidden", "8,6", "--latent", "3", "--batch-size", "10", "--epochs", "3", "--rate", "0.01"),
        *("--noise", "0.25", "--averaging", "0.75", "--out", out),
    )
    assert status == 0, err
    found = load_model(out).parameters
    for name, values in bars_and_stripes().items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize(
    ("model", "option", "words"),
    [
        ("gan", "--noise=-1", "standard deviation"),
        ("gan", "--averaging=2", "from 0 to 1"),
        ("mlp", "--noise=1", "--noise has a meaning only where"),
        ("rbm", "--averaging=0.5", "--averaging has a meaning only where"),
    ],
)
def test_the_command_line_says_what_cannot_be(ebmbench, tmp_path, model, option, words):
    out = tmp_path / "m.npz"
    status, _, err = ebmbench("train", "--model", model, "--dataset", "digits", option, "--out", out)
    assert status == 2
    assert words in err
