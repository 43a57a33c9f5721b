"""Requests that share a commit: what comes while others of its lane are answered waits, and is answered together.

A commit waits for the disk, whatever is in it, so what waits anyway had better wait for one commit than for many.
Nobody waits for a group to fill: a request that comes alone is answered alone, at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

MOST_REQUESTS = 64
MOST_BYTES = 1_048_576
"""What a group takes: it is held up by nothing that takes longer than the largest request does alone."""


class Sized(Protocol):
    """What has a body."""

    @property
    def body(self) -> bytes:
        """The body."""


Item = TypeVar("Item", bound=Sized)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Answer]):
    item: Item
    answer: "asyncio.Future[Answer]"


class Groups(Generic[Item, Answer]):
    """Lanes, each of which has at most one group in the hands of a thread.

    `answer` gets a lane and what waits in it, and gives an answer or an error for each; it is called on a thread of
    `threads`. All else happens on the event loop's thread.
    """

    def __init__(
        self, answer: Callable[[int, Sequence[Item]], Sequence[Answer | Exception]], threads: Executor
    ) -> None:
        self._answer = answer
        self._threads = threads
        self._lanes: dict[int, deque[_Waiting[Item, Answer]]] = {}

    async def answered(self, lane: int, item: Item) -> Answer:
        """Wait in a lane for an answer.

        Raises what `answer` gave as the item's error.
        """
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Item, Answer] = _Waiting(item, loop.create_future())
        if lane in self._lanes:
            self._lanes[lane].append(waiting)
        else:
            self._lanes[lane] = deque([waiting])
            self._begin(loop, lane)
        return await waiting.answer

    def _begin(self, loop: asyncio.AbstractEventLoop, lane: int) -> None:
        queue = self._lanes[lane]
        group = [queue.popleft()]
        size = len(group[0].item.body)
        while queue and len(group) < MOST_REQUESTS and size + len(queue[0].item.body) <= MOST_BYTES:
            group.append(queue.popleft())
            size += len(group[-1].item.body)
        self._threads.submit(self._serve, loop, lane, group)

    def _serve(self, loop: asyncio.AbstractEventLoop, lane: int, group: Sequence[_Waiting[Item, Answer]]) -> None:
        """Answer a group, on a thread."""
        try:
            answers = self._answer(lane, [waiting.item for waiting in group])
        except Exception as error:
            answers = [error] * len(group)
        loop.call_soon_threadsafe(self._end, loop, lane, group, answers)

    def _end(
        self,
        loop: asyncio.AbstractEventLoop,
        lane: int,
        group: Sequence[_Waiting[Item, Answer]],
        answers: Sequence[Answer | Exception],
    ) -> None:
        for waiting, answer in zip(group, answers, strict=True):
            if waiting.answer.done():
                continue  # nobody waits any more
            if isinstance(answer, Exception):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)
        if self._lanes[lane]:
            self._begin(loop, lane)
        else:
            del self._lanes[lane]
