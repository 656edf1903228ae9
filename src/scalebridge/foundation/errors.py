"""Exceptions of the project. Each message names the value, the rule and the way out, in one line."""


class ScalebridgeError(Exception):
    """Base of every error that scalebridge raises on purpose."""


class InputError(ScalebridgeError, ValueError):
    """A value given by the user breaks a rule."""


class FormatError(InputError):
    """A file is damaged, truncated or of another format; the message gives file and line."""


class InterfaceError(InputError):
    """Phases separate without an energy of the boundary between them, so that nothing sets its width."""


class MissingDependencyError(ScalebridgeError, ImportError):
    """An optional part is not installed; the message gives the command that installs it."""


class LabelError(ScalebridgeError):
    """The reference calculator failed on too many structures."""


class StoreError(ScalebridgeError):
    """A label store or run folder cannot be read or written."""


class ConvergenceError(ScalebridgeError):
    """An iteration, a fit or a solver ended without reaching its tolerance."""


class ValidityError(ScalebridgeError):
    """A quantity was asked for outside the range in which it was determined."""
