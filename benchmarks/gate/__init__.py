"""The regression gate: `python -m benchmarks.gate [BASE]` says whether a version is slower or wronger.

Machines are noisy, and a kernel's median can be bimodal from process to process, by where memory happens
to lie; so a sample is a process, versions alternate A B B A, and what is suspect is measured again.
"""
