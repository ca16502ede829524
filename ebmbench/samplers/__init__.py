"""Chains over a backend: what estimators, partition functions and evaluation sample with."""
