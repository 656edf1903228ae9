"""Units, constants, errors, random streams, progress and citations: what every room stands on."""

from scalebridge.foundation import constants
from scalebridge.foundation.content import content_key
from scalebridge.foundation.errors import (
    ConvergenceError,
    FormatError,
    InputError,
    InterfaceError,
    LabelError,
    MissingDependencyError,
    ScalebridgeError,
    StoreError,
    ValidityError,
)
from scalebridge.foundation.hashing import hash_bytes, hash_file, hash_json
from scalebridge.foundation.packages import optional_package
from scalebridge.foundation.progress import SILENT, Progress, Task
from scalebridge.foundation.random_streams import random_stream

__all__ = [
    "SILENT",
    "ConvergenceError",
    "FormatError",
    "InputError",
    "InterfaceError",
    "LabelError",
    "MissingDependencyError",
    "Progress",
    "ScalebridgeError",
    "StoreError",
    "Task",
    "ValidityError",
    "constants",
    "content_key",
    "hash_bytes",
    "hash_file",
    "hash_json",
    "optional_package",
    "random_stream",
]
