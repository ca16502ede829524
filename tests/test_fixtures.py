"""The trained RBM of Salakhutdinov & Murray 2008 on their binarised MNIST: published figures."""

import json
import sys
from itertools import pairwise

import numpy as np
import pytest
from conftest import BACKENDS, COMPUTED, backend, fixture_path, needs_files, needs_two_threads
from scipy.special import expit

from ebmbench import partition
from ebmbench.cli import main
from ebmbench.evaluation.likelihood import mean_free_energy
from ebmbench.kernels.api import load
from ebmbench.models.rbm import RBM
from ebmbench.partition import base_rates
from ebmbench.randomness import HIDDEN, VISIBLE, Key, Stream, uniforms

KEY = Key(7, Stream.CHAINS)


@pytest.fixture(scope="module")
def model():
    with np.load(fixture_path("rbm_cd25_500.npz")) as content:
        return RBM(content["W"], content["b"], content["c"])


@pytest.fixture(scope="module")
def rows():
    with np.load(fixture_path("binarized_mnist.npz")) as content:
        return {"train": content["x_train"], "test": content["x_test"]}


@needs_files
def test_the_model_and_the_data_are_the_published_ones(model, rows):
    assert model.W.shape == (784, 500)
    assert {name: x.shape for name, x in rows.items()} == {"train": (60_000, 784), "test": (10_000, 784)}
    assert rows["train"].mean() == pytest.approx(0.13066, abs=5e-6)
    assert rows["test"].mean() == pytest.approx(0.13245, abs=5e-6)


@needs_files
@pytest.mark.parametrize(
    ("name", "part", "published"),
    [
        *((name, "test", 364.926) for name in BACKENDS),
        *((name, "train", 368.172) for name in COMPUTED),  # in float64 it takes long
    ],
)
def test_mean_free_energy(model, rows, name, part, published):
    found = -mean_free_energy(backend(name), model, rows[part])
    assert found == pytest.approx(published, abs=0.002)


@needs_files
@needs_two_threads
def test_grid_walks_a_thousand_sweeps_alike(computed, model, rows, threads):
    """20 chains: 1 thread, 2 threads, and two splits of the batch."""
    k, handle, start = computed, computed.put(model, "grid"), rows["test"][:20]
    found = []
    for count, parts in ((1, (0, 20)), (2, (0, 20)), (2, (0, 7, 20)), (1, (0, 1, 19, 20))):
        threads(count)
        layers = []
        for first, last in pairwise(parts):
            batch = k.put_rows(start[first:last])
            v, h = k.gibbs(handle, batch, 1000, KEY._replace(chain=first))
            layers.append(np.hstack([k.get_rows(v), k.get_rows(h)]))
        found.append(np.vstack(layers))
    assert found[0].shape == (20, 1284)
    assert all((walk == found[0]).all() for walk in found[1:])
    moved = (found[0][:, :784] != start).mean()
    assert 0.01 < moved < 0.5  # the chains left their images


@needs_files
def test_grid_agrees_with_the_reference_bit_for_bit(computed, model, rows):
    """One sweep from 1,000 images: equal pre-activations, and samples that differ only at a tie.

    Equal pre-activations x leave the float32 sigmoid's error of at most 3.6e-7 (6 * 2**-24).
    """
    k, reference = computed, load("reference")
    images = rows["test"][:1000]
    ours, theirs = (b.put(model, "grid") for b in (k, reference))
    x = k.hidden_input(ours, k.put_rows(images))
    exact = reference.hidden_input(theirs, reference.put_rows(images))
    assert (x == exact).all()
    v, h = (k.get_rows(layer) for layer in k.gibbs(ours, k.put_rows(images), 1, KEY))
    u = uniforms(KEY, 1000, 500, HIDDEN).astype(float)
    p = expit(exact)
    assert (np.abs(u - p)[h != (u < p)] < 1e-6).all()
    assert (h != (u < p)).sum() <= 5  # 500,000 draws, each a tie with a chance below 1e-6
    below = reference.visible_input(theirs, h.astype(float))
    assert (k.visible_input(ours, k.put_rows(h)) == below).all()
    u, p = uniforms(KEY, 1000, 784, VISIBLE).astype(float), expit(below)
    assert (np.abs(u - p)[v != (u < p)] < 1e-6).all()
    assert (v != (u < p)).sum() <= 6


@needs_files
def test_evaluate_gives_the_published_log_z_on_three_seeds(capsys, monkeypatch):
    """The paper's schedule, 100 chains, base rates of the training rows: 451.23 ± 0.3, test -86.31."""
    for seed in (0, 1, 2):
        line = f"evaluate {fixture_path('rbm_cd25_500.npz')} --data binarized_mnist --betas paper"
        monkeypatch.setattr(
            sys, "argv", ["ebmbench", *line.split(), "--method", "ais", "--seed", str(seed), "--json"]
        )
        with pytest.raises(SystemExit):
            main()
        (found,) = json.loads(capsys.readouterr().out)["estimates"]
        assert found["log_z"] == pytest.approx(451.23, abs=0.3)
        assert found["log_z_std_error"] < 0.3
        assert found["mean_log_likelihood"] == pytest.approx(-86.31, abs=0.3)
        assert found["n_rows"] == 10_000
        assert "train split" in found["base"]


@needs_files
def test_too_few_temperatures_flatter(computed, model, rows):
    """100 even temperatures give 448.0 to 448.2 with a small standard error: three nats wrong."""
    module, config = partition.find("ais", {"betas": 100, "chains": 100})
    base = base_rates(rows["train"], "train")
    found = module.estimate(computed, model, config, base, 1)
    assert 447.0 < found.log_z < 449.2
    assert found.std_error < 0.6


@needs_files
def test_reverse_ais_closes_on_the_published_log_z(computed, model, rows):
    """From parallel tempering, 40 chains and 3,000 temperatures: 451.23 within three standard errors.

    The upper bound is a few tenths too high with so few temperatures; so 0.3 is added.
    """
    settings = {"betas": 3000, "chains": 40, "start": "parallel_tempering", "sweeps": 300}
    module, config = partition.find("reverse_ais", settings)
    found = module.estimate(computed, model, config, base_rates(rows["train"], "train"), 1)
    assert found.std_error < 0.5
    assert -3.0 * found.std_error < found.log_z - 451.23 < 3.0 * found.std_error + 0.3
