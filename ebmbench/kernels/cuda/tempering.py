"""Parallel tempering."""

JOBS = {}
