"""Backends: the same whole jobs on different hardware, one folder each; see `api`."""
