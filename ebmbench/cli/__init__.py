"""The command line: `ebmbench run | train | evaluate | sample | report | list | doctor | verify`."""

from ebmbench.cli.app import main

__all__ = ["main"]
