"""The one exception for mistakes that the caller can mend.

Its text is a single sentence that names the offender and says what would be right; the command line
prints it and exits with 2.
"""


class UserError(ValueError):
    """A mistake in what was given: a name, a file, a shape, a value or an option."""
