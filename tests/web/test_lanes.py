"""Lanes go on whatever happens to a group: who waits is told, and who comes next is answered."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from sendmeter.errors import Conflict
from sendmeter.web.groups import MOST_BYTES, MOST_REQUESTS, Groups


@dataclass
class Sent:
    """What a group looks at of a request, and what is answered to it."""

    answer: object
    body: bytes = b""


class Panic(BaseException):
    """What a library in another language may raise."""


def answered(*rounds, threads=None):
    """Send the requests of each round at once; give what each was answered, and the sizes of the groups."""
    sizes, first_waits, go_on = [], threading.Event(), threading.Event()

    def answer(_lane, group):
        sizes.append(len(group))
        if len(sizes) == 1:
            first_waits.set()
            assert go_on.wait(10)
        for sent in group:
            if isinstance(sent.answer, Panic):
                raise sent.answer
        return [sent.answer for sent in group]

    async def send():
        with threads or ThreadPoolExecutor(1) as pool:
            groups, found = Groups(answer, pool), []
            for requests in rounds:
                tasks = [asyncio.create_task(groups.answered(7, sent)) for sent in requests]
                await asyncio.sleep(0)
                await asyncio.get_running_loop().run_in_executor(None, first_waits.wait, 1)
                go_on.set()
                found.append(await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10))
            assert groups._lanes == {}
            return found

    return asyncio.run(send()), sizes


@pytest.mark.parametrize("failure", [Panic("panic"), StopIteration()])
def test_a_lane_goes_on_after_what_nobody_expected(failure):
    rounds = [[Sent("a")], [Sent("b"), Sent(failure), Sent("c")], [Sent("d")]]
    found, _ = answered(*rounds)
    assert found[0] == ["a"]
    assert len(found[1]) == 3
    assert found[2] == ["d"]


def test_an_error_of_one_request_is_answered_to_that_one_alone():
    conflict = Conflict("known")
    found, sizes = answered([Sent("a"), Sent("b"), Sent(conflict), Sent("c")])
    assert found == [["a", "b", conflict, "c"]]
    assert sizes == [1, 3]


def test_a_thread_that_cannot_be_started_does_not_end_a_lane():
    class NoThreads(ThreadPoolExecutor):
        refusals = iter([True])

        def submit(self, *given, **named):
            if next(self.refusals, False):
                raise RuntimeError("can't start new thread")
            return super().submit(*given, **named)

    found, sizes = answered([Sent("a"), Sent("b")], threads=NoThreads(1))
    assert [str(each) for each in found[0]] == ["can't start new thread", "b"]
    assert sizes == [1]


def test_a_group_has_no_more_than_it_may_take():
    many = [Sent(number) for number in range(1 + MOST_REQUESTS + 5)]
    found, sizes = answered(many)
    assert found == [list(range(len(many)))]
    assert sizes == [1, MOST_REQUESTS, 5]

    large = [Sent(number, bytes(MOST_BYTES // 2)) for number in range(4)]
    assert answered([*large, Sent(4, bytes(2 * MOST_BYTES))])[1] == [1, 2, 1, 1]


def test_a_client_that_is_gone_does_not_keep_others_from_their_answers():
    async def send():
        go_on = threading.Event()

        def answer(_lane, group):
            assert go_on.wait(10)
            return [sent.answer for sent in group]

        with ThreadPoolExecutor(1) as pool:
            groups = Groups(answer, pool)
            tasks = [asyncio.create_task(groups.answered(7, Sent(number))) for number in range(4)]
            await asyncio.sleep(0)
            tasks[2].cancel()
            await asyncio.sleep(0)
            go_on.set()
            return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)

    found = asyncio.run(send())
    assert found[:2] + found[3:] == [0, 1, 3]
    assert isinstance(found[2], asyncio.CancelledError)
