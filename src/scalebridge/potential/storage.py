"""Writing files whole, and data behind the text of a potential."""

import base64
from pathlib import Path
from typing import Final

from scalebridge.foundation import FormatError, InputError, hash_bytes

_TAIL: Final = "#scalebridge-selection"


def append_tail(text: str, data: bytes) -> str:
    """Return the text of a potential followed by ``data``, in letters that other readers skip."""
    letters = base64.urlsafe_b64encode(data).decode().rstrip("=")
    rows = "\n".join(letters[n : n + 4096] for n in range(0, len(letters), 4096))
    return f"{text}{_TAIL} {hash_bytes(data)}\n{rows}\n"


def has_tail(path: Path) -> bool:
    """Return whether data of ours follow the text of a potential."""
    return f"\n{_TAIL}".encode() in path.read_bytes()


def read_tail(path: Path) -> bytes:
    """Return the data appended to a potential file.

    Raises
    ------
    FormatError
        If there is none or it is damaged.
    """
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    before, found, tail = text.partition("\n" + _TAIL)
    line = before.count("\n") + 2
    if not found:
        raise FormatError(
            f"{path}:{line}: no selection state follows the potential; build one with ActiveSet"
        )
    checksum, _, letters = tail.partition("\n")
    letters = "".join(letters.split())
    try:
        data = base64.b64decode(letters + "=" * (-len(letters) % 4), altchars=b"-_", validate=True)
    except ValueError:  # letters that are none of base64's
        data = b""
    if hash_bytes(data) != checksum.strip():
        raise FormatError(f"{path}:{line}: the selection state is damaged; build it anew with ActiveSet")
    return data


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader never sees half of it.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose a writable folder") from error
