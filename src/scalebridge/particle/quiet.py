"""Keep SUNDIALS' own lines off the standard output; the failure is said in the solution's status instead.

scikit-sundae prints every message of the integrator with Python's ``print`` and offers no switch.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Filter:
    """Standard output that drops what threads inside `silenced` write."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Pass text on, or drop it."""
        return len(text) if getattr(_inside, "depth", 0) else int(self.stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


_inside = threading.local()
_lock = threading.Lock()
_users: list[int] = [0]


@contextmanager
def silenced() -> Iterator[None]:
    """Drop what this thread prints; other threads print as before."""
    with _lock:
        if not isinstance(sys.stdout, _Filter):
            sys.stdout = _Filter(sys.stdout)
        _users[0] += 1
    _inside.depth = getattr(_inside, "depth", 0) + 1
    try:
        yield
    finally:
        _inside.depth -= 1
        with _lock:
            _users[0] -= 1
            if _users[0] == 0 and isinstance(sys.stdout, _Filter):
                sys.stdout = sys.stdout.stream
