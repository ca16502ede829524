"""The application: its commands, and how a mistake is told in one sentence.

Exit status: 0 fine, 1 a case failed, 2 a mistake in what was given. The commands import what they
need when they run, so that `--help` does not wait for a compiler.
"""

import inspect
import os
import re
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from ebmbench.cli import compare, evaluate, facts, restore, sample, suites, train, verify
from ebmbench.errors import UserError

_INTERRUPTED = 130  # 128 and SIGINT's number, as shells say it

app = typer.Typer(
    name="ebmbench",
    help="Benchmarks for energy-based models, with exact truth beside every timing.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"ebmbench {version('ebmbench')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    _: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Benchmarks for energy-based models, with exact truth beside every timing."""


def _flowing(text: str | None) -> str:
    """A docstring's paragraphs as one line each, which the terminal wraps; indented lines stay."""
    paragraphs = inspect.cleandoc(text or "").split("\n\n")
    return "\n\n".join(re.sub(r"\n(?! )", " ", one) for one in paragraphs)


for command in (
    suites.run,
    train.train,
    evaluate.evaluate,
    sample.sample,
    restore.restore,
    suites.report,
    compare.compare,
    facts.list_names,
    facts.doctor,
    verify.verify,
):
    name = {"list_names": "list"}.get(command.__name__, command.__name__)
    app.command(name=name, help=_flowing(command.__doc__))(command)


def main() -> None:
    """Run the command line and exit."""
    arguments = sys.argv[1:] or ["--help"]
    # --debug is understood wherever it stands, since it is typed last, after something went wrong.
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        status = app(arguments, standalone_mode=False)
        if status == _INTERRUPTED:  # as some versions of typer end what is interrupted
            raise KeyboardInterrupt
    except (KeyboardInterrupt, typer.Abort):
        _tell(f"stopped{_kept(arguments)}")
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, UserError):
            _tell(str(error))
            sys.exit(2)
        if isinstance(error, MemoryError):
            _tell(f"there is not enough memory for this: {error}")
            sys.exit(2)
        if hasattr(error, "format_message"):  # the command line itself was not understood
            _tell(error.format_message())
            sys.exit(2)
        _tell(f"{type(error).__name__}: {error} (a fault of ebmbench; --debug shows where)")
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


def _kept(arguments: list[str]) -> str:
    """What a stopped command has not lost."""
    if arguments[0] == "run":
        return "; finished cases are kept, and the same command continues from there"
    if arguments[0] == "train" and any(one.startswith("--checkpoint") for one in arguments):
        return "; the same command continues from the last checkpoint, if there is one"
    return ""


def _tell(sentence: str) -> None:
    """Print one line to stderr."""
    print(f"ebmbench: {' '.join(sentence.split())}", file=sys.stderr)
