"""Exceptions whose text is one sentence for a person: what is wrong, and what would be right."""


class UserError(ValueError):
    """A mistake in what was given: a name, a file, a shape, a value or an option."""


class Unavailable(UserError):
    """What cannot be had or cannot apply here, though nothing is wrong; the text is the reason."""


class NotFinite(UserError):
    """A parameter that is NaN, infinite or beyond all bounds."""


LOST = "context was lost"  # what a `DeviceError` says after which a process cannot use the device again


class DeviceError(UserError):
    """What a device could not do, such as hold so many rows; the text says what would do."""
