"""Data for energy-based models: built-in sets, found by name, and the user's own files.

Every file of this folder whose name does not start with an underscore is one dataset. It exposes
``NAME``, ``DESCRIPTION`` (one line) and ``load()``, and that is all there is to adding one.
"""

from ebmbench.datasets._dataset import Dataset
from ebmbench.datasets._load import check_name, load, read_labels, read_rows
from ebmbench.datasets._registry import describe, names

__all__ = ["Dataset", "check_name", "describe", "load", "names", "read_labels", "read_rows"]
