"""Several processes that serve one socket: forked from one that has read everything, watched, replaced, stopped.

Each worker has a link to its parent, and says over it each second that it goes on. So the parent knows of a worker
whether it serves, hangs (it is silent) or is gone (the link's other end is closed), and a worker whether its parent is
gone: then it stops, since nobody would watch it.
"""

import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from sendmeter.errors import Refusal

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
TICK_SECONDS = 1.0
QUICK_SECONDS = 10
"""A worker that ends sooner may end for a reason that is still there: the next ones have to wait."""
LONGEST_PAUSE_SECONDS = 30
SILENT_SECONDS = 30
logger = logging.getLogger(__name__)


@dataclass(eq=False)
class _Worker:
    pid: int
    link: socket.socket
    since: float
    serves: bool = False
    # Seconds since it last said that it goes on.
    silent: int = 0
    # To be told to stop once another serves in its place.
    is_outdated: bool = False
    is_stopping: bool = False


class Workers:
    """So many processes that do the same work; `work` gets the link over which a worker says that it goes on."""

    def __init__(
        self, count: int, work: Callable[[socket.socket], None], listener: socket.socket, stop_seconds: int
    ) -> None:
        self._count, self._work, self._listener, self._stop_seconds = count, work, listener, stop_seconds
        self._workers: list[_Worker] = []
        self._has_served = False
        # One ended before any served: none is replaced until another of the first serves, or all have ended.
        self._waits_for_the_first = False
        self._quick_ends = 0
        self._not_before = 0.0
        self._stop_until: float | None = None
        self._exit_code = 0

    def run(self) -> int:
        """Keep the workers going until told to stop; give the exit code."""
        tick = time.monotonic()
        with _signals() as signals:
            while self._workers or self._stop_until is None:
                self._keep_up()
                links = {worker.link: worker for worker in self._workers}
                readable, _, _ = select.select([signals, *links], [], [], TICK_SECONDS)
                for link in readable:
                    if link is signals:
                        self._handle_signals(signals.recv(64))
                    else:
                        self._hear(links[link])
                if time.monotonic() - tick >= TICK_SECONDS:
                    tick = time.monotonic()
                    self._look_after()
        return self._exit_code

    def _keep_up(self) -> None:
        """Fork the workers that are missing, and stop those in whose place another serves."""
        if self._stop_until is not None:
            return
        current = [worker for worker in self._workers if not (worker.is_outdated or worker.is_stopping)]
        if time.monotonic() >= self._not_before and not self._waits_for_the_first:
            for _ in range(self._count - len(current)):
                self._fork()
        outdated = [worker for worker in self._workers if worker.is_outdated and not worker.is_stopping]
        spare = len(outdated) + sum(worker.serves for worker in current) - self._count
        for worker in outdated[: max(0, spare)]:
            _stop(worker)

    def _fork(self) -> None:
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            self._cannot_fork(error)
            return
        # Of what stands in the buffers, each process would write its own copy.
        sys.stdout.flush()
        sys.stderr.flush()
        # Until the worker has its own handlers, a signal would be taken for one to its parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                ours.close()
                self._be_worker(theirs)
        except OSError as error:
            ours.close()
            self._cannot_fork(error)
        else:
            self._workers.append(_Worker(pid, ours, time.monotonic()))
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _cannot_fork(self, error: OSError) -> None:
        logger.error("A worker cannot be started: %s", error)
        self._pause()

    def _be_worker(self, link: socket.socket) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for other in self._workers:
                # Else their links would not be closed when the parent ends.
                other.link.close()
            link.setblocking(False)
            self._work(link)
            code = 0
        except (Refusal, OSError, ValueError) as error:
            logger.error("worker %d fails: %s", os.getpid(), error)  # noqa: TRY400 - the message is for the operator
        except Exception:
            logger.exception("worker %d fails", os.getpid())
        finally:
            # Not back into the parent's work.
            os._exit(code)

    def _hear(self, worker: _Worker) -> None:
        """Take what a worker says; it says nothing more when it is gone."""
        try:
            said = worker.link.recv(4096)
        except ConnectionResetError:
            said = b""
        if not said:
            self._ended(worker)
            return
        worker.silent = 0
        if not worker.serves:
            worker.serves = self._has_served = True
            self._waits_for_the_first = False
            logger.info("worker %d serves", worker.pid)

    def _ended(self, worker: _Worker) -> None:
        code = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
        worker.link.close()
        self._workers.remove(worker)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        if worker.is_stopping:
            logger.info("worker %d %s", worker.pid, how)
            if self._stop_until is not None and code:
                self._exit_code = 1
            return
        logger.error("worker %d %s", worker.pid, how)
        if not self._has_served:
            self._waits_for_the_first = True
            if not self._workers:
                logger.error("No worker could start: the server ends.")
                self._stop()
                self._exit_code = 1
            return
        if not worker.serves:
            # What cannot start replaces nobody.
            for other in self._workers:
                other.is_outdated = False
        if time.monotonic() - worker.since < QUICK_SECONDS:
            self._pause()
        else:
            self._quick_ends = 0

    def _pause(self) -> None:
        """Wait before the next fork: not at all at first, then for longer each time."""
        if self._quick_ends:
            seconds = min(LONGEST_PAUSE_SECONDS, 2 ** (self._quick_ends - 1))
            logger.warning("The next worker starts in %d s.", seconds)
            self._not_before = time.monotonic() + seconds
        self._quick_ends = min(self._quick_ends + 1, 10)

    def _look_after(self) -> None:
        """Kill what hangs, each second."""
        is_late = self._stop_until is not None and time.monotonic() > self._stop_until
        for worker in self._workers:
            # Counted rather than measured: after the whole server stood still, as with Ctrl-Z, nobody is late.
            worker.silent += 1
            hangs = worker.serves and worker.silent > SILENT_SECONDS + self._stop_seconds
            if is_late or hangs:
                logger.error("worker %d hangs; it is killed", worker.pid)
                os.kill(worker.pid, signal.SIGKILL)

    def _handle_signals(self, signals: bytes) -> None:
        """Do what signals ask for."""
        for number in signals:
            # Nobody who closes a terminal expects that a server stays behind.
            if number == signal.SIGHUP and not os.isatty(0):
                logger.info("SIGHUP: each worker stops once another serves in its place")
                for worker in self._workers:
                    worker.is_outdated = True
            elif self._stop_until is None:
                self._stop()
            else:
                self._end_at_once(128 + number)

    def _end_at_once(self, code: int) -> NoReturn:
        for worker in self._workers:
            os.kill(worker.pid, signal.SIGKILL)
        for worker in self._workers:
            os.waitpid(worker.pid, 0)
        os._exit(code)

    def _stop(self) -> None:
        # Longer than a worker takes that breaks off by itself.
        self._stop_until = time.monotonic() + self._stop_seconds + 2 * TICK_SECONDS
        self._listener.close()
        for worker in self._workers:
            _stop(worker)


def _stop(worker: _Worker) -> None:
    if not worker.is_stopping:
        worker.is_stopping = True
        os.kill(worker.pid, signal.SIGTERM)


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Return a socket that a byte comes on for each signal: its number."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())
    for number in SIGNALS:
        # What `nohup` starts stays.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(-1)
        reader.close()
        writer.close()
