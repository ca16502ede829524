"""The fit loop and its optimisers."""
