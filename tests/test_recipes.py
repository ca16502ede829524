"""How a suite says that a deep model is trained: in which stages, with which names, what is refused."""

import numpy as np
import pytest
from conftest import complaint, random_rows

from ebmbench.datasets import Dataset
from ebmbench.harness import recipes
from ebmbench.harness.parts import PARTS
from ebmbench.harness.recipes import Given
from ebmbench.kernels import api
from ebmbench.models.dbm import DBM
from ebmbench.models.dbn import DBN
from ebmbench.models.gan import GAN
from ebmbench.models.general import GeneralBoltzmannMachine
from ebmbench.models.mlp import MLP
from ebmbench.training.adam import Adam
from ebmbench.training.sgd import SGD

LAYERS, JOINT, CLASSIFIER, PLAYERS = (
    {"layers": {"epochs": [2, 3]}}, {"joint": {"epochs": 4}}, {"classifier": {"epochs": 5}},
    {"players": {"epochs": 6, "generator": [7], "discriminator": [3], "latent": 2}},
)  # fmt: skip
KINDS = {
    "DBN 5-4, CD-1": ("dbn", [5, 4], LAYERS),
    "DBN 5-4, SML-1": ("dbn", [5, 4], {"layers": {"estimator": {"name": "sml", "chains": 9}}}),
    "DBN 5-4, CD-1, fine-tuned": ("dbn", [5, 4], LAYERS | CLASSIFIER),
    "DBN 5-4, CD-1, fine-tuned, dropout 0.2/0.5/0.5": (
        "dbn",
        [5, 4],
        LAYERS | {"classifier": {"dropout": [0.2, 0.5, 0.5]}},
    ),
    "DBM 5-4, pre-trained, fine-tuned, dropout 0.2/0.5/0.5": (
        "dbm",
        [5, 4],
        LAYERS | JOINT | {"classifier": {"dropout": [0.2, 0.5, 0.5]}},
    ),
    "DBM 5-4, pre-trained": ("dbm", [5, 4], LAYERS | JOINT),
    "DBM 5-4, not pre-trained": ("dbm", [5, 4], JOINT),
    "DBM 5-4, pre-trained, fine-tuned": ("dbm", [5, 4], LAYERS | JOINT | CLASSIFIER),
    "General Boltzmann machine 5": ("general_boltzmann_machine", [5], JOINT),
    "MLP 5-4, relu": ("mlp", [5, 4], CLASSIFIER),
    "GAN, G 7, D 3, non-saturating": ("gan", [], PLAYERS),
    "DBN 5-8, CD-1, tied at first": ("dbn", [5, 8], {"layers": {"epochs": 2, "tied": True}}),
}
ROWS = random_rows(30, 7)
DATA = Dataset("made up", ROWS, ROWS[:9], None, None, np.arange(30) % 3, np.arange(9) % 3)
MODELS = {"dbn": DBN, "dbm": DBM, "general_boltzmann_machine": GeneralBoltzmannMachine, "gan": GAN}


def given(batch_size=7):
    return Given(api.load("reference"), DATA, batch_size, 0)


@pytest.mark.parametrize("label", KINDS)
def test_a_recipe_is_named_after_what_it_does(label):
    kind, hidden, tables = KINDS[label]
    assert recipes.of(kind, hidden, {"players": {}, **tables}).label == label


@pytest.mark.parametrize("label", KINDS)
def test_phases_train_their_stages_and_hand_on_what_they_learned(label):
    kind, hidden, tables = KINDS[label]
    recipe, model, measures = recipes.of(kind, hidden, tables), None, []
    for phase in recipe.phases:
        trainer = phase.make(given(), model)
        assert trainer.batches == 5  # of 30 rows in batches of 7
        assert trainer.steps == 5 * sum(epochs for _, epochs in phase.stages)
        trainer.advance(trainer.steps)
        model = trainer.model
        measures.append(phase.measure)
        assert isinstance(model, MLP if phase.measure == "error" else MODELS[kind])
    assert measures == [*({"gan": ["parzen"], "mlp": []}.get(kind, ["bound"])),
                        *(["error"] if "classifier" in tables else [])]  # fmt: skip
    if kind == "mlp":
        assert model.sizes == (7, 5, 4, 3)


def test_a_fine_tuned_network_begins_with_the_weights_of_the_model_before():
    """The first layer of a DBN's, and of a DBM's all that tie an even layer to an odd one."""
    for kind, tables in (("dbn", LAYERS), ("dbm", JOINT)):
        first, second = recipes.of(kind, [5, 4], tables | CLASSIFIER).phases
        trainer = first.make(given(), None)
        trainer.advance(3)
        network = second.make(given(), trainer.model).model
        wanted = trainer.model.layers[0].W if kind == "dbn" else trainer.model.whole.W
        np.testing.assert_array_equal(network.weights[0], wanted)


def test_a_tied_layer_starts_as_the_one_below():
    """The one of the stack that is made, at a rate that leaves it as it starts."""
    layers = {"epochs": 1, "tied": True, "rate": [0.1, 1e-9]}
    (phase,) = recipes.of("dbn", [5, 8], {"layers": layers}).phases
    trainer = phase.make(given(), None)
    trainer.advance(6)
    below, above = trainer.model.layers
    np.testing.assert_allclose(above.W[:, :7], below.W.T, rtol=0, atol=1e-6)


def test_the_discriminator_may_have_an_optimiser_of_its_own():
    how = {"discriminator_optimiser": "sgd", "discriminator_rate": 0.1, "discriminator_decay": 0.01}
    players = PARTS["players"](rate=3e-4, schedule="linear", **how)
    assert players.judging == SGD(0.1, decay=0.01, schedule="linear")
    assert players.how == Adam(3e-4, 0.5, schedule="linear")
    assert PARTS["players"](rate=3e-4, discriminator_rate=1e-4).judging == Adam(1e-4, 0.5)


def test_shortened_has_an_epoch_in_every_stage():
    recipe = recipes.of("dbm", [5, 4], LAYERS | JOINT | CLASSIFIER).shortened
    assert [stage for phase in recipe.phases for stage in phase.stages] == [
        ("layer 1 of 2", 1), ("layer 2 of 2", 1), ("joint training", 1), ("fine-tuning", 1)
    ]  # fmt: skip


@pytest.mark.parametrize("label", KINDS)
def test_trials_go_through_every_kind_of_update(label):
    """Of a DBM that is pre-trained both that of a stack and that of all layers together."""
    kind, hidden, tables = KINDS[label]
    trials = recipes.of(kind, hidden, tables).trials(given())
    phases = 1 + (kind in ("dbn", "dbm") and "classifier" in tables)
    assert len(trials) == phases + (kind == "dbm" and "layers" in tables)
    for trainer in trials:
        trainer.advance(1)
        assert trainer.done == 1


def test_settings_are_all_told_with_their_part():
    found = recipes.of("dbn", [5, 4], LAYERS | CLASSIFIER).settings
    assert found["layers.epochs"] == [2, 3]
    assert found["layers.estimator"] == {"name": "cd", "k": 1}
    assert found["classifier.optimiser"] == "adam"


@pytest.mark.parametrize(
    ("kind", "hidden", "tables", "named"),
    [
        ("dbb", [5], LAYERS, "did you mean 'dbn'"),
        ("dbn", [5], {}, "a dbn needs a table layers"),
        ("dbm", [5], LAYERS, "a dbm needs a table joint"),
        ("general_boltzmann_machine", [5, 4], JOINT, "are one number, such as [64]"),
        ("general_boltzmann_machine", [5], JOINT | LAYERS, "is not trained by layers"),
        ("general_boltzmann_machine", [0], JOINT, "must have at least 1 unit"),
        ("dbn", [5], LAYERS | JOINT, "not trained by joint"),
        ("mlp", [5], CLASSIFIER | PLAYERS, "not trained by players"),
        ("mlp", [5], {"classifier": {"momentum": 0.9}}, "write optimiser = 'sgd'"),
        ("mlp", [5], {"classifier": {"decay": 0.1}}, "write optimiser = 'sgd'"),
        ("mlp", [], CLASSIFIER, "hidden layers, such as"),
        ("gan", [5], PLAYERS, "stand in its table players"),
        ("dbn", [5, 0], LAYERS, "at least 1 unit, not 0"),
        ("dbn", [5, 2.5], LAYERS, "at least 1 unit, not 2.5"),
        ("dbn", [5, 4, 3], LAYERS, "of epochs 3 layers need one each"),
        ("dbn", [5, 4], {"layers": {"rate": [0.1]}}, "of rate 2 layers need one each"),
        ("dbn", [5, 4], {"layers": {"rate": [0.1, -1.0]}}, "learning rate"),
        ("dbn", [5], {"layers": {"epochs": 0}}, "epochs must be at least 1"),
        ("dbn", [5], {"layers": {"epoch": 1}}, "did you mean 'epochs'"),
        ("dbn", [5], {"layers": {"estimator": {"name": "cdd"}}}, "'cdd'"),
        ("dbn", [5], {"layers": {"estimator": {"k": 1}}}, "a table with a name"),
        ("dbm", [5], JOINT | {"layers": {"estimator": {"name": "sml"}}}, "pre-trained by cd, not by sml"),
        ("dbm", [5, 9], JOINT | {"layers": {"tied": True}}, "the layers of a dbm are not tied"),
        ("dbm", [5], {"joint": {"sweeps": 0}}, "sweeps"),
        ("dbm", [5], {"joint": {"epochs": 0}}, "epochs"),
        ("mlp", [5], {"classifier": {"optimiser": "adma"}}, "did you mean 'adam'"),
        ("mlp", [5], {"classifier": {"rate": 0.0}}, "learning rate"),
        ("gan", [], {"players": {"form": "minmax"}}, "did you mean 'minimax'"),
        ("gan", [], {"players": {"beta1": 1.0}}, "beta1"),
        ("gan", [], {"players": {"discriminator_rate": -1.0}}, "learning rate"),
        ("gan", [], {"players": {"discriminator_optimiser": "sdg"}}, "did you mean 'sgd'"),
        ("gan", [], {"players": {"discriminator_decay": 0.1}}, "discriminator_decay is 0.1, but adam"),
        (
            "gan",
            [],
            {"players": {"discriminator_optimiser": "sgd", "discriminator_decay": -0.1}},
            "weight decay",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence_that_names_it(kind, hidden, tables, named):
    assert named in complaint(recipes.of, kind, hidden, tables)


def test_a_class_that_only_test_rows_have_is_refused():
    data = Dataset("made up", ROWS, ROWS[:9], None, None, np.arange(30) % 3, np.arange(9) % 5)
    named = "test rows of made up have labels that no training row has: [3, 4]"
    assert named in complaint(recipes.labels_of, data)


@pytest.mark.parametrize(
    ("labels", "named"),
    [(None, "has no labels"), (np.full(30, -1), "classes are 0, 1, 2"), (np.full(30, 30), "lie in 30")],
)
def test_labels_that_are_no_classes_are_refused(labels, named):
    data = Dataset("made up", ROWS, ROWS[:9], None, None, labels, labels)
    assert named in complaint(recipes.labels_of, data)
