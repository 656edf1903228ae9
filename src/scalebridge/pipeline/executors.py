"""Where units of work run: in this process, or in worker processes with one thread each."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, Final, Protocol, final

from scalebridge.foundation import InputError, ScalebridgeError

THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """What one item gave."""

    index: int
    seconds: float
    result: Any


class Executor(Protocol):
    """Maps a function over items; outcomes come in the order in which they finish."""

    @property
    def workers(self) -> int:
        """Units at a time."""

    def outcomes(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        """Yield the outcome of every item; a unit that raises ends the iteration after those running."""

    def close(self) -> None:
        """Stop the workers, running units included."""


@final
class SerialExecutor:
    """One unit after the other, in this process."""

    workers = 1

    def outcomes(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        """Yield outcomes in the order of ``items``."""
        for index, item in enumerate(items):
            seconds, result = _timed(function, item)
            yield Outcome(index, seconds, result)

    def close(self) -> None:
        """Nothing to stop."""


@final
class ProcessExecutor:
    """Worker processes, started when first needed and kept for the whole run.

    They are spawned, not forked: a fork of a process that holds OpenMP or torch threads can hang. Each has
    one thread, ignores the terminal's interrupt (this process stops it) and ends when this process dies.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._others = {process.pid for process in multiprocessing.active_children()}

    def outcomes(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        """Yield outcomes as they finish.

        Raises
        ------
        ScalebridgeError
            If a worker process died.
        """
        if not items:
            return
        with _one_thread():  # workers start on submission and inherit the environment
            pool = self._started()
            futures = {pool.submit(_timed, function, item): index for index, item in enumerate(items)}
            yield from _drain(futures)

    def close(self) -> None:
        """Stop the workers now; units still running are lost."""
        if self._pool is None:
            return
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            if process.pid not in self._others:
                process.terminate()
        self._pool = None

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=_prepare_worker)
        return self._pool


def parse_executor(text: str) -> Executor:
    """Return the executor that ``serial``, ``processes`` (one per core) or ``processes:N`` names.

    Raises
    ------
    InputError
        If the text is none of these.
    """
    kind, _, number = text.partition(":")
    if text == "serial":
        return SerialExecutor()
    if kind == "processes" and (not number or (number.isdecimal() and int(number) > 0)):
        workers = int(number) if number else available_cores()
        return ProcessExecutor(workers) if workers > 1 else SerialExecutor()
    raise InputError(f"executor '{text}' is not known; use serial, processes or processes:N (N at least 1)")


def available_cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _timed(function: Callable[[Any], Any], item: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function(item)
    return time.perf_counter() - start, result


def _drain(futures: dict[Future[tuple[float, Any]], int]) -> Iterator[Outcome]:
    failure: Exception | None = None
    try:
        for future in as_completed(futures):
            try:
                seconds, result = future.result()
            except CancelledError:
                continue
            except Exception as error:
                failure = failure or error
                for other in futures:
                    other.cancel()
                continue
            yield Outcome(futures[future], seconds, result)
    finally:
        for future in futures:
            future.cancel()
    if isinstance(failure, BrokenProcessPool):
        raise ScalebridgeError(
            "a worker process died (most often: out of memory); finished units are kept, "
            "run again with fewer workers, for example --executor serial"
        ) from failure
    if failure is not None:
        raise failure


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    saved = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _prepare_worker() -> None:
    os.dup2(2, 1)  # what libraries print must not mix with this process's results on stdout
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
