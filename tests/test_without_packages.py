"""The gpu suite runs where packages that it does not need are missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebmbench.compile import cache_folder

TESTS = Path(__file__).parent
MISSING = ("arviz", "arviz_stats", "pooch", "asv", "dask", "platformdirs")


BLOCK = f"""
import sys
class Blocked:
    def find_spec(self, name, *_):
        if name.split(".")[0] in {MISSING!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
"""


def without(code, folder):
    """A fresh Python in which these packages cannot be imported.

    One of them says where kernels are kept, which would all be compiled again elsewhere.
    """
    kept = cache_folder()
    cache = {} if kept is None else {"NUMBA_CACHE_DIR": str(kept.parent.parent)}
    return subprocess.run(
        [sys.executable, "-c", BLOCK + code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent), **cache},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_suite_runs(tmp_path):
    (tmp_path / "tiny.toml").write_text(
        '[[train]]\ndataset = "digits"\nbackend = ["reference", "cuda"]\nestimator = { name = "cd" }\n'
        "hidden = 4\nepochs = 1\nbetas = 10\nchains = 4\ncheckpoints = 1\n"
    )
    code = "from ebmbench.cli import main; sys.argv = ['ebmbench', 'run', 'tiny.toml']; main()"
    done = without(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 done" in done.stdout or "2 done" in done.stdout
    assert (tmp_path / "results" / "tiny" / "report.html").exists()


def test_kernels_are_kept_in_the_home_folder(tmp_path):
    """Where nothing says which folder is better."""
    code = "from ebmbench import compile; print(compile._users_folder())"
    done = without(code, tmp_path)
    assert done.stdout.strip() == str(Path.home() / ".cache" / "ebmbench"), done.stderr


def test_tests_are_found():
    arguments = ["--collect-only", "-q", "-m", "gpu", "-p", "no:cacheprovider", str(TESTS)]
    code = f"import pytest; sys.exit(pytest.main({arguments!r}))"
    done = without(code, TESTS.parent)
    assert done.returncode in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED), done.stdout[
        -2000:
    ]
