"""How ebmbench compiles its kernels: one `jit`, one set of options, one cache folder a version.

Numba's on-disk cache looks only at the file a function stands in: change a helper in another file
and the old machine code is served. So every version of the package's sources gets a folder of its
own, and only the newest few are kept. Within it Numba tells places apart by their paths; here a file
goes by its place in the package, so that the same version installed elsewhere compiles nothing again.
"""

import hashlib
import os
import pickle
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba import extending
from numba.core import caching

from ebmbench import pool
from ebmbench.linking import Compiler

PACKAGE = Path(__file__).parent
_KEPT_VERSIONS = 8
_DIGEST = hashlib.sha256().digest_size


pool.load()

# What compiled code can depend on; tests/test_layers.py sees to it that the kernels import no more.
KERNEL_SOURCES = (
    *(
        f"{module}.py"
        for module in ("compile", "instructions", "linking", "normal", "philox", "randomness", "scalar")
    ),
    *("models", "kernels"),
)
# No Python checks; no second entry for C, which the kernels are not called from; see `linking`.
_OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
    "pipeline_class": Compiler,
    "_nrt": True,  # said, as it would be taken over from what calls it: see `inner`
}
# What no measurement depends on.
PRESENTATION = ("cli", "report")


@cache
def source_hash(*only: str) -> str:
    """SHA-256 (first 16 hex digits) of the package's Python sources.

    Of those whose first folder or file in the package is among `only`; by default of all but the
    `PRESENTATION`.
    """
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE)
        if place.parts[0] in only if only else place.parts[0] not in PRESENTATION:
            digest.update(str(place).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def cache_folder() -> Path | None:
    """The folder of this version's machine code; None where no folder can be written."""
    versions = Path(os.environ.get("NUMBA_CACHE_DIR") or _users_folder()) / "ebmbench-kernels"
    folder = versions / source_hash(*KERNEL_SOURCES)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
        if not os.access(folder, os.W_OK):
            return None
        old = sorted(versions.iterdir(), key=lambda p: p.stat().st_mtime)[:-_KEPT_VERSIONS]
    except OSError:
        return None
    for version in old:
        shutil.rmtree(version, ignore_errors=True)
    return folder


def _users_folder() -> Path:
    try:
        import platformdirs
    except ImportError:  # it only knows better names than this one
        return Path.home() / ".cache" / "ebmbench"
    return platformdirs.user_cache_path("ebmbench")


@cache  # a file has many functions
def _is_ours(py_file: str) -> bool:
    return Path(py_file).resolve().is_relative_to(PACKAGE.resolve())


class CacheLocator(getattr(caching, "UserProvidedCacheLocator", object)):  # type: ignore[misc]
    """Where Numba keeps a function of this package: at its file's place in the package."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """The folder of a file's functions within the cache folder; paths decide for foreign files."""
        if not _is_ours(py_file):
            return super().get_suitable_cache_subpath(py_file)
        folder = Path(py_file).resolve().parent
        return ".".join(("ebmbench", *folder.relative_to(PACKAGE.resolve()).parts))

    def ensure_cache_path(self) -> None:
        """Make the folder; where the disk is full nothing is kept, rather than nothing compiled."""
        with suppress(OSError):
            super().ensure_cache_path()


class CacheFiles(caching.IndexDataCacheFile):
    """A function's machine code on disk: a file for each of its signatures, which names the file.

    For functions of this package, whose folder is of one version of all sources.

    Numba numbers the files, in an index. Two processes that compile at the same time may give one number
    to two signatures, and the next start then runs the one's code on the other's arguments.
    """

    def __init__(self, folder: str, function: str) -> None:
        super().__init__(folder, function, None)
        self._function = function

    def _file(self, key: Any) -> str:
        digest = hashlib.sha256(repr((key, numba.__version__)).encode()).hexdigest()
        return self._data_path(f"{self._function}.{digest[:16]}.nbc")

    def save(self, key: Any, data: Any) -> None:
        """Keep the code of a signature; where the disk is full, the next start compiles it again."""
        content = self._dump(data)
        with suppress(OSError), self._open_for_write(self._file(key)) as file:
            file.write(hashlib.sha256(content).digest() + content)

    def load(self, key: Any) -> Any:
        """The code of a signature, or None where there is none or the file is damaged."""
        try:
            content = Path(self._file(key)).read_bytes()
        except OSError:
            return None
        digest, content = content[:_DIGEST], content[_DIGEST:]
        return pickle.loads(content) if hashlib.sha256(content).digest() == digest else None


def inner(
    function: Callable[..., Any] | None = None, /, *, allocates: bool = False, **options: Any
) -> Any:
    """`jit` for what only compiled code calls; for Python it stays a Python function.

    It is optimised and compiled within each kernel that calls it, and has no machine code of its own,
    which nobody would run. It cannot call itself.

    Its arrays outlive it, so nobody counts references: threads that count those of one array wait for
    each other at every slice of it. Where it `allocates` arrays or texts, is given new ones by what it
    calls, or returns any, they are counted: without that its caller would free what it never owned.
    """
    if function is None:
        return lambda f: inner(f, allocates=allocates, **options)
    return extending.register_jitable(**_OPTIONS | {"_nrt": allocates}, **options)(function)


def overload(function: Callable[..., Any], **options: Any) -> Any:
    """Numba's own, for what only compiled code calls.

    References are counted, whoever calls it: else that would be as in what it is called by.
    """
    choices: Any = {"error_model": "numpy", "_nrt": True, **options}
    return extending.overload(function, jit_options=choices)


def jit(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """`numba.njit` with this package's options: no Python checks, no fast-math, cached on disk.

    Fast-math is never passed: `nnan` and `ninf` delete the very checks that stop a diverged run,
    and a contracted multiply-add would break the equality of bits between backends.
    """
    if function is None:
        return lambda f: jit(f, **options)
    folder = cache_folder()
    # What decides where machine code is kept is read when a function is decorated, so it is set just
    # around that. Where a Numba has no such classes to choose from, it goes by paths.
    settings = {"CACHE_DIR": str(folder or ""), "CACHE_LOCATOR_CLASSES": f"{__name__}.CacheLocator"}
    before = {name: getattr(numba.config, name) for name in settings if hasattr(numba.config, name)}
    try:
        for name in before:
            setattr(numba.config, name, settings[name])
        compiled = numba.njit(**_OPTIONS, cache=folder is not None, **options)(function)
    finally:
        for name, value in before.items():
            setattr(numba.config, name, value)
    kept = getattr(compiled, "_cache", None)
    if isinstance(kept, caching.FunctionCache) and _is_ours(function.__code__.co_filename):
        kept._cache_file = CacheFiles(kept.cache_path, kept._impl.filename_base)
    return compiled
