"""Requests that share a commit: what comes while others of its lane are answered waits, and is answered together.

A commit waits for the disk, whatever is in it, so what waits anyway had better wait for one commit than for many.
Nobody waits for a group to fill: a request that comes alone is answered alone, at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from sendmeter.web.bridge import Request, Response

MOST_REQUESTS = 64
MOST_BYTES = 1_048_576
"""What a group takes together; one request may have as much alone."""
_Waiting = tuple[Request, "asyncio.Future[Response]"]


class Groups:
    """Lanes, each of which has at most one group in the hands of a thread.

    `answer` gets a lane and what waits in it, and gives an answer or an error for each; it is called on a thread of
    `threads`. All else happens on the event loop's thread.
    """

    def __init__(
        self, answer: Callable[[int, Sequence[Request]], Sequence[Response | Exception]], threads: Executor
    ) -> None:
        self._answer = answer
        self._threads = threads
        self._lanes: dict[int, deque[_Waiting]] = {}

    async def answered(self, lane: int, request: Request) -> Response:
        """Wait in a lane for an answer.

        Raises what `answer` gave as the request's error.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Response] = loop.create_future()
        if lane in self._lanes:
            self._lanes[lane].append((request, future))
        else:
            self._lanes[lane] = deque([(request, future)])
            self._begin(loop, lane)
        return await future

    def _begin(self, loop: asyncio.AbstractEventLoop, lane: int) -> None:
        """Hand what waits in a lane to a thread; a lane in which nothing waits is removed."""
        queue = self._lanes[lane]
        if not queue:
            del self._lanes[lane]
            return
        group = [queue.popleft()]
        size = len(group[0][0].body)
        while queue and len(group) < MOST_REQUESTS and size + len(queue[0][0].body) <= MOST_BYTES:
            group.append(queue.popleft())
            size += len(group[-1][0].body)
        try:
            self._threads.submit(self._serve, loop, lane, group)
        except RuntimeError as error:  # no thread can be started, or the server ends
            loop.call_soon(self._end, loop, lane, group, [error] * len(group))

    def _serve(self, loop: asyncio.AbstractEventLoop, lane: int, group: Sequence[_Waiting]) -> None:
        """Answer a group, on a thread. Whatever happens, those who wait are told, and the lane goes on."""
        answers: Sequence[Response | Exception] = [RuntimeError("the group was not answered")] * len(group)
        try:
            answers = self._answer(lane, [request for request, _ in group])
        except Exception as error:
            answers = [error] * len(group)
        finally:
            loop.call_soon_threadsafe(self._end, loop, lane, group, answers)

    def _end(
        self,
        loop: asyncio.AbstractEventLoop,
        lane: int,
        group: Sequence[_Waiting],
        answers: Sequence[Response | Exception],
    ) -> None:
        try:
            for (_, future), answer in zip(group, answers, strict=True):
                if future.done():
                    continue  # nobody waits any more
                if isinstance(answer, StopIteration):  # which a future does not take
                    future.set_exception(RuntimeError("StopIteration"))
                elif isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        finally:
            self._begin(loop, lane)
