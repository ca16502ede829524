"""Registries that walk a folder, and tables of options."""

from dataclasses import dataclass

import pytest

from ebmbench import options
from ebmbench.discovery import registry, unknown
from ebmbench.errors import UserError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes files into a package of its own; returns its name."""

    def write(name, **files):
        folder = tmp_path / name
        folder.mkdir()
        for stem, text in {"__init__": "", **files}.items():
            (folder / f"{stem}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        return name

    return write


def test_registry_finds_files_by_their_name_and_skips_helpers(package):
    found = registry(package("plain", b="NAME = 'x'", a="NAME = 'y'", _help="1 / 0"), ())
    assert list(found) == ["x", "y"]


def test_registry_refuses_two_of_one_name(package):
    with pytest.raises(TypeError, match=r"twins\.b and twins\.a share their NAME"):
        registry(package("twins", a="NAME = 'same'", b="NAME = 'same'"), ())


def test_registry_refuses_a_file_that_lacks_something(package):
    with pytest.raises(TypeError, match=r"halves\.a does not define step"):
        registry(package("halves", a="NAME = 'a'"), ("step",))


def test_unknown_names_the_nearest():
    assert "did you mean 'digits'?" in str(unknown("dataset", "digit", ["digits", "mnist"]))
    assert "did you mean" not in str(unknown("dataset", "zzz", ["digits", "mnist"]))


@dataclass(frozen=True)
class Config:
    rate: float = 0.1
    count: int = 1
    flag: bool = False
    betas: int | str = 1


def test_options_build_a_config():
    assert options.build(Config, {"rate": 1, "betas": "paper"}, "x") == Config(1, betas="paper")


@pytest.mark.parametrize(
    "given",
    [{"count": 1.5}, {"count": True}, {"flag": 1}, {"rate": "1"}, {"betas": 1.5}, {"cuont": 1}],
)
def test_options_refuse_what_does_not_fit_and_name_it(given):
    with pytest.raises(UserError, match=next(iter(given))) as error:
        options.build(Config, given, "the thing")
    assert "the thing" in str(error.value)
    assert "\n" not in str(error.value)
