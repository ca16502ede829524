"""`python -m ebmbench`."""

from ebmbench.cli import main

main()
