"""One process that serves: uvicorn's server, which leaves no request unanswered when it is told to stop.

uvicorn closes what it listens on with the connections that wait there, and a connection that is kept alive with the
request that was just sent on it: their senders cannot know what became of it. Here each of them is answered, with
`Connection: close`, before its connection is closed.
"""

import asyncio
import atexit
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from sendmeter.serving.room import Room

LINGER_SECONDS = 0.25
"""How long connections stay open for a request that is on its way."""
_POLL_SECONDS = 0.01
logger = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """A server on a socket that listens already."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, stop_seconds: int, room: Room) -> None:
        super().__init__(config)
        self._room = room
        self._listener = listener
        self._stop_seconds = stop_seconds

    def serve_alone(self) -> None:
        """Serve until Ctrl-C, SIGTERM, or the end of the terminal; told so again, end at once."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # What `nohup` starts stays.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._handle_signal)
        self.run(sockets=[self._listener])

    def serve_as_worker(self, link: socket.socket) -> None:
        """Serve until SIGTERM, or until the parent is gone, which is told over the link each second that this goes on.

        SIGTERM may come twice: from whoever stops all processes at once, and from the parent.
        """

        async def tell() -> None:
            try:
                link.send(b".")
            except BlockingIOError:
                # The parent is there, and does not listen.
                return
            except OSError:
                logger.error("The parent of worker %d is gone: it stops.", os.getpid())  # noqa: TRY400 - no mistake
                self.stop()

        self.config.callback_notify, self.config.timeout_notify = tell, 0
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        self.run(sockets=[self._listener])

    def stop(self) -> None:
        """Begin to stop; what is not done in time is broken off, wherever it waits."""
        if not self.should_exit:
            self.should_exit = True
            signal.signal(signal.SIGALRM, self._break_off)
            signal.alarm(self._stop_seconds)
            # Once nothing is left to break off: the interpreter may end late, and without the handler.
            atexit.register(signal.alarm, 0)

    def _handle_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.should_exit:
            os._exit(128 + number)
        self.stop()

    def _break_off(self, *_: Any) -> None:  # noqa: ANN401 - signal's
        count = len(self.server_state.tasks)
        logger.error("Not answered within %d s, and broken off: %d.", self._stop_seconds, count)
        os._exit(1)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals as they are: uvicorn would raise them again at the end, and so not exit with 0."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections."""
        await super().startup(sockets)
        self._room.keep_reserve(asyncio.get_running_loop())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what was asked, and close."""
        # Who is slow is closed before all that is under way is broken off.
        self._room.hurry(self._stop_seconds / 2)
        state = self.server_state
        logger.info("Stopping. Requests under way: %d.", len(state.tasks))
        # A request that begins from now on is the last of its connection, and so are those under way.
        state.default_headers = [*state.default_headers, (b"connection", b"close")]
        for connection in state.connections:
            cycle = getattr(connection, "cycle", None)
            if cycle is not None and not cycle.response_complete:
                connection.shutdown()
        waiting = self._waiting()
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for accepted in waiting:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, accepted)
        if state.connections:
            await asyncio.sleep(LINGER_SECONDS)
        while state.connections or state.tasks:
            for connection in list(state.connections):
                if not connection.has_unread():  # type: ignore[union-attr]  # ours
                    # Closes it where it is idle.
                    connection.shutdown()
            await asyncio.sleep(_POLL_SECONDS)
        await self.lifespan.shutdown()

    def _waiting(self) -> list[socket.socket]:
        """Accept the connections that wait: closed with the socket that listens, they would be reset."""
        accepted = []
        while True:
            try:
                accepted.append(self._listener.accept()[0])
            except ConnectionAbortedError:
                continue
            except OSError:
                # None waits, or no more can be taken.
                return accepted

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]  # one of uvicorn's
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
