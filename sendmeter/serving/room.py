"""The room that a process has for connections: how many it keeps, and how long each may wait for its client.

uvicorn keeps as many as come, and waits for ever for a header, a body, or a client that does not read what it is
answered. Here what waits for its client stands in a queue, the longest first; what has stood too long is closed, and
where a further connection finds no room, whoever waits longest makes room for it. So connections on which nothing
happens never shut out one on which something does.

Beyond the descriptors of the connections stands a reserve: where no file can be opened any more, it is given up. Then
the server can still say so, and that it lives.
"""

import asyncio
import logging
import os
from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Protocol

IDLE_SECONDS = 5.0
"""How long a connection is kept on which nothing is asked."""
SPARE = 16
"""So many connections beyond the bound are told what they ask, or that there is no room; more are not listened to."""
RESERVE = 32
"""Descriptors in reserve: for those connections, and for the database."""
NEEDED = 8
"""Descriptors that there have to be beside the reserve: a request that opens the database takes three."""
SWEEP_SECONDS = 1.0
# Whoever has just come may have sent something that is not read yet.
_IDLE_LEAST = 0.1
_SLOW_LEAST = 1.0
_TRIES = 8
logger = logging.getLogger(__name__)


class Connection(Protocol):
    """What a connection has to do for those that share the room with it."""

    def is_read(self) -> bool:
        """Return whether what comes is read, and not left to wait until something else is answered."""

    def has_unread(self) -> bool:
        """Return whether something came that is not read yet."""

    def takes_slowly(self) -> bool:
        """Return whether the client has yet to take what was written; if so, it is `untaken` until it has."""

    def end(self) -> None:
        """Close, once what was written is taken."""

    def end_late(self) -> bool:
        """Refuse the request that does not come to its end; tell whether that closes the connection."""

    def break_off(self) -> None:
        """Close at once."""


class Room:
    """The connections of a process."""

    def __init__(self, connections: int = 1_000, request_seconds: float = 30.0) -> None:
        self.most = connections
        self.request_seconds = request_seconds
        self.idle_seconds = min(IDLE_SECONDS, request_seconds)
        self._connections: set[Connection] = set()
        # Those that found no place.
        self.beyond: set[Connection] = set()
        # Since when each waits for its client: for a request, for the end of one, for an answer to be taken. New ones
        # come last, so that the first has waited longest.
        self.idle: dict[Connection, float] = {}
        self.unfinished: dict[Connection, float] = {}
        self.untaken: dict[Connection, float] = {}
        self._reserve: list[int] = []
        self._keeps_reserve = False
        self._is_short = False
        self._refused = 0
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> bool:
        """Take a connection in, for which another may have to go; tell whether there is even space to listen to it."""
        now = loop.time()
        self._watch(loop)
        if not self._has_room() and not (self._make_room(now) and (self._is_short or self._has_room())):
            if len(self.beyond) >= SPARE:
                self._refused += 1
                return False
            self.beyond.add(connection)
        self._connections.add(connection)
        self.idle[connection] = now
        return True

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._let_go(connection)
        for waiting in (self.idle, self.unfinished, self.untaken):
            waiting.pop(connection, None)

    def _let_go(self, connection: Connection) -> None:
        """Release a connection's place. Its client may still have to take what was written."""
        self._connections.discard(connection)
        self.beyond.discard(connection)

    def has_place(self, connection: Connection) -> bool:
        """Return whether a connection may ask for anything: one that found no place may where others are idle now."""
        if connection in self.beyond and self._has_room():
            self.beyond.discard(connection)
        busy = len(self._connections) - len(self.idle)
        return connection not in self.beyond or (busy <= self.most and not self._is_short)

    def _has_room(self) -> bool:
        return len(self._connections) - len(self.beyond) < self.most and not self._is_short

    def refused(self) -> None:
        """Count a request that was told that there is no room."""
        self._refused += 1

    def hurry(self, seconds: float) -> None:
        """Wait no longer than this for anybody: the server stops."""
        self.request_seconds = min(self.request_seconds, seconds)

    def keep_reserve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hold descriptors back from now on, and look each second whether there are others."""
        self._keeps_reserve = True
        self._look_at_descriptors(loop.time())
        self._watch(loop)

    def _make_room(self, now: float) -> bool:
        """Close the connection that has waited longest, an idle one first; tell whether there was one."""
        for connection in _long(self.idle, _IDLE_LEAST, now):
            if not connection.takes_slowly() and not connection.has_unread():
                connection.end()
                self._let_go(connection)
                return True
        for connection in _long(self.unfinished, _SLOW_LEAST, now):
            if connection.is_read() and not connection.has_unread() and connection.end_late():
                self._let_go(connection)
                return True
        for connection in _long(self.untaken, _SLOW_LEAST, now):
            connection.break_off()
            self.leave(connection)
            return True
        return False

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None:
            seconds = min(SWEEP_SECONDS, self.request_seconds / 4)
            self._timer = loop.call_later(seconds, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what has waited too long for its client."""
        now = loop.time()
        self._timer = None
        self._close_late(now)
        if self._keeps_reserve:
            self._look_at_descriptors(now)
        if self._refused:
            logger.warning("No room for further connections: %d requests were refused.", self._refused)
            self._refused = 0
        if self._connections or self.untaken or self._keeps_reserve:
            self._watch(loop)

    def _close_late(self, now: float) -> None:
        # What lies unread was in time, as far as the client is concerned: the server was not.
        for connection in list(_late(self.idle, self.idle_seconds, now)):
            if not connection.has_unread():
                connection.end()
        for connection in list(_late(self.unfinished, self.request_seconds, now)):
            is_overdue = now - self.unfinished[connection] > 2 * self.request_seconds
            if connection.is_read() and (is_overdue or not connection.has_unread()):
                connection.end_late()
        for connection in list(_late(self.untaken, self.request_seconds, now)):
            connection.break_off()

    def _look_at_descriptors(self, now: float) -> None:
        """Release the reserve if no descriptor is left; take it back once there are twice as many."""
        wanted = RESERVE + (RESERVE if self._is_short else NEEDED)
        try:
            while len(self._reserve) < wanted:
                self._reserve.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            self._be_short(now)
        else:
            if self._is_short:
                logger.warning("There are file descriptors again.")
            self._is_short = False
        self._release(0 if self._is_short else RESERVE)

    def _be_short(self, now: float) -> None:
        if not self._is_short:
            logger.error("No file descriptors are left: new connections are refused. Raise the limit (ulimit -n).")
        self._is_short = True
        for _ in range(RESERVE):
            if not self._make_room(now):
                return

    def _release(self, count: int) -> None:
        while len(self._reserve) > count:
            os.close(self._reserve.pop())


def _long(waiting: dict[Connection, float], seconds: float, now: float) -> list[Connection]:
    """Return those that have waited longest, and at least so long; few, since there is no time for many."""
    return list(islice(_late(waiting, seconds, now), _TRIES))


def _late(waiting: dict[Connection, float], seconds: float, now: float) -> Iterator[Connection]:
    return (connection for connection, _ in takewhile(lambda each: now - each[1] >= seconds, waiting.items()))
