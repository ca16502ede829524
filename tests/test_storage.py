"""Every kind of model in a file and back, and files that are none."""

import gc
import warnings

import numpy as np
import pytest
from conftest import complaint, random_rbm
from deep import bits, random_dbm
from gaussian import random_gaussian
from general import random_general

from ebmbench.models import dbm
from ebmbench.models.augmented import AugmentedMLP
from ebmbench.models.boltzmann import BoltzmannMachine
from ebmbench.models.dbn import DBN
from ebmbench.models.gan import GAN
from ebmbench.models.graph import lattice
from ebmbench.models.kinds import from_arrays, to_arrays
from ebmbench.models.markov_field import MarkovField
from ebmbench.models.storage import load_binary_model, load_model, save_model
from ebmbench.training.initial import initial_network

NETWORK = initial_network([6, 5, 3], ["leaky_relu", "linear"], 1)
DEEP = random_dbm(6, 5, 4)
MODELS = {
    "rbm": random_rbm(6, 5),
    "gaussian_rbm": random_gaussian(6, 5),
    "dbn": DBN((random_rbm(6, 5), random_rbm(5, 4))),
    "dbn of one": DBN((random_rbm(6, 5),)),
    "dbn, gaussian": DBN((random_gaussian(6, 5), random_rbm(5, 4), random_rbm(4, 3))),
    "dbm": DEEP,
    "mlp": NETWORK,
    "augmented_mlp": AugmentedMLP(DEEP, dbm.classifier(DEEP, 3)),
    "gan": GAN(
        initial_network([2, 6], ["sigmoid"], 1), initial_network([6, 4, 1], ["tanh", "linear"], 2)
    ),
    "boltzmann_machine": BoltzmannMachine(np.triu(np.ones((3, 3)), 1), np.arange(3.0)),
    "general_boltzmann_machine": random_general(6, 4),
    "markov_field": MarkovField(lattice(2, 3), np.arange(7.0), np.arange(6.0)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_as_it_went(tmp_path, name):
    model, path = MODELS[name], tmp_path / "model.npz"
    save_model(path, model, {"epochs": 3})
    first = path.read_bytes()
    found = load_model(path)
    assert type(found) is type(model)
    assert found.parameters.keys() == model.parameters.keys()
    assert (bits(found) == bits(model)).all()
    assert to_arrays(found).keys() == to_arrays(model).keys()
    for one in ("activations", "Gactivations", "Dactivations", "kind", "edges"):
        if one in to_arrays(model):
            assert (to_arrays(found)[one] == to_arrays(model)[one]).all()
    save_model(path, found, {"epochs": 3})
    assert path.read_bytes() == first


def test_an_rbm_is_what_any_library_can_write(tmp_path):
    model, path = MODELS["rbm"], tmp_path / "model.npz"
    assert to_arrays(model).keys() == {"W", "b", "c"}
    np.savez(path, W=model.W.astype(np.float32), b=model.b, c=model.c, others=np.array([{}]))
    assert load_model(path).kind == "bernoulli_rbm"


def test_numbers_that_are_too_large_are_named_with_their_file(tmp_path):
    model = MODELS["general_boltzmann_machine"]
    np.savez(tmp_path / "huge.npz", **to_arrays(model) | {"W": 1e9 * model.W})
    assert "huge.npz: W holds a value beyond 1e+06" in complaint(load_model, tmp_path / "huge.npz")


@pytest.mark.parametrize("name", ["general_boltzmann_machine", "boltzmann_machine", "markov_field"])
def test_a_model_that_does_not_say_its_kind_is_no_rbm(tmp_path, name):
    arrays = to_arrays(MODELS[name])
    del arrays["kind"]
    np.savez(tmp_path / "kindless.npz", **{"W": np.ones((2, 2)), "c": np.ones(2)} | arrays)
    assert "as no RBM does, but not the kind" in complaint(load_model, tmp_path / "kindless.npz")


BAD = {
    "unknown kind of model 'dbx'": {"kind": np.array("dbx")},
    "a model of 2 layers lacks b2": {"b2": None},
    "a model of 3 layers lacks W3": {"b3": np.zeros(3)},
    "layers do not chain": {"W2": np.zeros((4, 4)), "b2": np.zeros(4)},
    "c must have shape (4,)": {"c2": np.zeros(3)},
    "W holds a value that is not finite": {"W1": np.full((6, 5), np.nan)},
    "precision must have shape": {"precision1": np.ones(4)},
}


@pytest.mark.parametrize(("words", "change"), BAD.items(), ids=BAD)
def test_a_dbn_that_is_none_is_one_sentence(tmp_path, words, change):
    arrays = to_arrays(MODELS["dbn"]) | change
    arrays = {name: x for name, x in arrays.items() if x is not None}
    assert words in complaint(from_arrays, arrays)
    np.savez(tmp_path / "bad.npz", **arrays)
    said = complaint(load_model, tmp_path / "bad.npz")
    assert words in said
    assert "bad.npz" in said


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("dbm", {"b": None}, "lacks b"),
        ("dbm", {"c2": None}, "lacks c2"),
        ("dbm", {"b": np.zeros(5)}, "b must have shape (6,)"),
        ("mlp", {"activations": None}, "lacks activations"),
        ("mlp", {"activations": np.array(["linear"])}, "need as many biases and activations"),
        ("mlp", {"activations": np.array(["relu", "step"])}, "unknown activation 'step'"),
        ("mlp", {"kind": np.array("dbm")}, "lacks b"),
        ("gan", {"Dactivations": None}, "lacks Dactivations"),
        ("gan", {"DW2": None}, "lacks W2"),
        ("augmented_mlp", {"dbm_c2": np.zeros(3)}, "c2 must have shape (4,)"),
        ("augmented_mlp", {"dbm_W1": None}, "lacks W1"),
        ("boltzmann_machine", {"R": None}, "lacks R"),
        ("dbn", {"kind": None}, "does not hold W, b, c"),
    ],
)
def test_a_mixed_file_is_one_sentence(tmp_path, name, change, words):
    arrays = to_arrays(MODELS[name]) | change
    np.savez(tmp_path / "bad.npz", **{name: x for name, x in arrays.items() if x is not None})
    assert words in complaint(load_model, tmp_path / "bad.npz")


def test_only_an_rbm_is_a_binary_model(tmp_path):
    for name in ("gaussian_rbm", "dbn", "mlp"):
        save_model(tmp_path / "model.npz", MODELS[name], {})
        assert "but an RBM with binary units is needed" in complaint(
            load_binary_model, tmp_path / "model.npz"
        )


def test_a_damaged_file_is_not_left_open(tmp_path):
    path = tmp_path / "cut.npz"
    save_model(path, MODELS["rbm"], {})
    path.write_bytes(path.read_bytes()[:-200])
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        assert "cannot be read as an .npz archive" in complaint(load_model, path)
        gc.collect()
    assert [x for x in found if issubclass(x.category, ResourceWarning)] == []


def test_a_model_in_the_place_of_its_path(tmp_path):
    said = complaint(save_model, MODELS["rbm"], tmp_path / "model.npz")
    assert said == "save_model(path, model) needs a path first, not RBM"
