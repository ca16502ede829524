"""GANs on the command line: trained, kept, judged, sampled, and what is refused."""

import json

import numpy as np
import pytest

from ebmbench.models.storage import load_model

TRAIN = ("train", "--model", "gan", "--dataset", "bars_and_stripes", "--backend", "reference")
SMALL = ("--hidden", "8,6", "--latent", "3", "--batch-size", "10")


def test_a_gan_is_trained_judged_and_sampled(ebmbench, tmp_path):
    file, rows = tmp_path / "gan.npz", tmp_path / "rows.npy"
    status, out, err = ebmbench(*TRAIN, *SMALL, "--epochs", "3", "--out", file)
    assert status == 0, err
    assert "generator 3-8-6-16, 9 updates" in out
    model = load_model(file)
    assert model.discriminator.sizes == (16, 6, 8, 1)
    judged = ("evaluate", file, "--data", "bars_and_stripes", "--backend", "reference", "--json")
    status, out, err = ebmbench(*judged)
    assert status == 0, err
    found = json.loads(out)
    assert np.isfinite(found["parzen"])
    assert 0 < found["mmd_p_value"] <= 1
    drawn = ("sample", file, "--count", "5", "--backend", "reference", "--out", rows)
    status, out, err = ebmbench(*drawn)
    assert status == 0, err
    samples = np.load(rows)
    assert samples.shape == (5, 16)
    assert ((samples > 0) & (samples < 1)).all()
    assert "5 samples of noise" in out


def test_a_run_continues_from_its_checkpoint_to_the_same_bits(ebmbench, tmp_path):
    whole, halves, kept = tmp_path / "a.npz", tmp_path / "b.npz", tmp_path / "checkpoint"
    run = (*TRAIN, *SMALL, "--epochs", "4")
    assert ebmbench(*run, "--out", whole)[0] == 0
    # A folder to write to is refused before the work.
    assert ebmbench(*run, "--out", tmp_path, "--checkpoint", kept)[0] == 2
    assert ebmbench(*run, "--out", halves, "--checkpoint", kept)[0] == 0
    assert "going on from" in "".join(ebmbench(*run, "--out", halves, "--checkpoint", kept)[1:])
    for name, values in load_model(whole).parameters.items():
        np.testing.assert_array_equal(load_model(halves).parameters[name], values)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--momentum", "0.9"), "--momentum plays no part with --model gan"),
        (("--latent", "0"), "latent units must be at least 1"),
        (("--form", "best"), "unknown form 'best'"),
        (("--estimator", "sml"), "--estimator has a meaning only where"),
        (("--rate", "0.1,0.2"), "--rate of this model is one number"),
    ],
)
def test_what_makes_no_sense_is_refused(ebmbench, tmp_path, options, sentence):
    status, _, err = ebmbench(*TRAIN, *SMALL, *options, "--out", tmp_path / "gan.npz")
    assert status == 2
    assert sentence in err


def test_sweeps_and_log_z_are_not_for_gans(ebmbench, tmp_path):
    file = tmp_path / "gan.npz"
    assert ebmbench(*TRAIN, *SMALL, "--epochs", "1", "--out", file)[0] == 0
    assert "only where the model is sampled by chains" in ebmbench("sample", file, "--sweeps", "3")[2]
    judged = ("evaluate", file, "--data", "bars_and_stripes")
    assert "only where the model has energies" in ebmbench(*judged, "--betas", "10")[2]
