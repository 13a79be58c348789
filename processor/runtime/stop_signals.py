"""Catches the signals that ask a process to stop.

A forked process inherits the handlers of its parent. A signal that comes before it has its own would be lost.
So signals are blocked during the fork (:func:`block`, :func:`unblock`), and the child resets them with
:func:`reset`.
"""

import contextlib
import queue
import signal
from collections.abc import Callable, Iterator

POLL_S = 1.0
"""The longest wait of the main thread, in seconds: the handler of a signal that the system delivers to
another thread runs when the main thread wakes."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def block() -> None:
    """Hold back stop signals while this process forks."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


def unblock() -> None:
    """Deliver the stop signals that were held back."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def reset() -> None:
    """Let stop signals end a forked process from its first moment; those that were ignored stay ignored."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    unblock()


@contextlib.contextmanager
def handling(number: signal.Signals, handler: Callable[..., None]) -> Iterator[None]:
    """Have ``handler`` called at a signal during the context, in the main thread only."""
    previous = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, previous)


class StopSignals:
    """Catches SIGTERM, SIGINT and SIGHUP during the context, in the main thread only.

    An ignored SIGHUP stays ignored (``nohup``).
    """

    def __init__(self) -> None:
        self._handlers = contextlib.ExitStack()
        self._callback: Callable[[], None] | None = None
        self._received = False

    def call(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` at each signal, and at once if one was received before."""
        self._callback = callback
        if self._received:
            callback()

    def wait(self) -> None:
        """Wait until a signal is received."""
        received = queue.SimpleQueue[None]()
        self.call(lambda: received.put(None))
        while not self._received:
            with contextlib.suppress(queue.Empty):
                received.get(timeout=POLL_S)

    def __enter__(self) -> "StopSignals":
        for number in STOP_SIGNALS:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers.enter_context(handling(number, self._receive))
        return self

    def __exit__(self, *exc: object) -> None:
        self._handlers.close()

    def _receive(self, *_: object) -> None:
        self._received = True
        if self._callback is not None:
            self._callback()
