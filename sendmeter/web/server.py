"""The bridge of a server: each request is answered where it takes least.

What reads a few rows of a file is answered at once, what records is answered together with what came meanwhile, and all
else on a thread of its own (docs/decisions/0010).
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, NoReturn

from sendmeter.contract import Contract, Operation
from sendmeter.domain.events import BATCH_LIMIT, read_batch
from sendmeter.domain.holds import Asked
from sendmeter.domain.instants import Clock
from sendmeter.domain.keys import read_token
from sendmeter.errors import Refusal, Unauthorized, Unavailable
from sendmeter.integrations.http_client import Outgoing
from sendmeter.services import events, holds
from sendmeter.settings import Settings
from sendmeter.store import Store, organizations, outcome
from sendmeter.web import security
from sendmeter.web.bridge import Bridge, Request, Response, Scope, authorization_of
from sendmeter.web.groups import Groups
from sendmeter.web.validation import GIVEN, answer_of

logger = logging.getLogger(__name__)
_RECORD, _PLACE = "events.record", "holds.place"
# They do nothing but write to the database, and are idempotent: run again they do nothing more.
_TOGETHER = (_RECORD, _PLACE, "holds.settle", "holds.release")
# They add to counters.
_COUNTING = (_RECORD, "holds.settle")
_FEW_ROWS = ("usage.get",)
READY_SECONDS = 2.0
"""How long whoever asks whether the server is ready waits: what takes longer is a no."""

Given = dict[str, Any]
"""What a handler may name of a request."""
Telling = Callable[[], Response]
"""Writes an answer, or raises what it is refused with."""
Merge = Callable[[Sequence[Given], datetime], list[Telling]]


class ServerBridge(Bridge):
    """The bridge of a server, which has one store."""

    def __init__(
        self,
        wsgi_app: Callable[..., Any],
        *,
        contract: Contract,
        settings: Settings,
        clock: Clock,
        decision_clock: Clock,
        outgoing: Outgoing,
        store: Store,
    ) -> None:
        super().__init__(
            wsgi_app,
            contract=contract,
            settings=settings,
            clock=clock,
            outgoing=outgoing,
            decision_clock=decision_clock,
        )
        self.store = store
        # SQLite has one writer: one thread, whose connection keeps the pages that writing needs.
        self.recorder = ThreadPoolExecutor(1, thread_name_prefix="recorder") if store.is_sqlite else self.writers
        self.groups = Groups(self._answer_together, self.recorder)
        self.checker = ThreadPoolExecutor(1, thread_name_prefix="checker")
        self._check: asyncio.Future[Response | Exception] | None = None

    def close(self) -> None:
        """Wait for the requests under way, then close the store."""
        super().close()
        self.recorder.shutdown()
        self.checker.shutdown()
        self.store.close()

    def store_of(self, _scope: Scope) -> Store:
        """Return the store."""
        return self.store

    async def answered(self, request: Request) -> Response:
        """Answer a request at once, with others, or on a thread of its own."""
        operation_id = request.operation.operation_id
        if operation_id == "health.live" or (self.store.is_sqlite and operation_id in _FEW_ROWS):
            # A change of threads would cost more than a few indexed rows of a file do, and in WAL mode a reader waits
            # for nobody.
            return self.answer(request)
        if operation_id == "health.ready":
            return await self._checked(request)
        if operation_id in _TOGETHER:
            return await self.groups.answered(self._lane_of(request), request)
        return await super().answered(request)

    async def _checked(self, request: Request) -> Response:
        """Return within the time limit whether the server is ready, on a thread that does nothing else.

        Whoever asks while it is looked at is told what comes of that.
        """
        if self._check is None or self._check.done():
            # Nobody may be left to be told of an error.
            work = partial(request.context.run, outcome, partial(self.answer, request))
            self._check = asyncio.get_running_loop().run_in_executor(self.checker, work)
        try:
            answer = await asyncio.wait_for(asyncio.shield(self._check), READY_SECONDS)
        except TimeoutError:
            raise Unavailable("The database did not answer in time.") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _lane_of(self, request: Request) -> int:
        """Return which requests could not be worked on at the same time anyway.

        On SQLite those are all that write. On PostgreSQL those of one organization are, which add to the same counters;
        the number that a token has is believed here, as whoever lies about it is refused when the turn comes.
        """
        if self.store.is_sqlite:
            return 0
        try:
            token = read_token(security.token_of(authorization_of(request.scope)))
        except Unauthorized:
            token = None
        return token[0] if token else 0

    def _answer_together(self, _lane: int, requests: Sequence[Request]) -> list[Response | Exception]:
        """Answer the requests of a lane: first what is wrong with their form, then what is merged, then the others."""
        answers: dict[int, Response | Exception] = {}
        ready: dict[int, dict[str, Any]] = {}
        for index, request in enumerate(requests):
            try:
                ready[index] = request.context.run(self.prepared, request)
            except Exception as error:
                answers[index] = error
        try:
            for merge, part in self._parts({index: requests[index].operation for index in ready}, ready):
                answers |= self._merged(merge, {index: ready[index][GIVEN] for index in part})
            answers |= self._apart({index: requests[index] for index in ready if index not in answers}, ready)
        except Exception as error:
            # Not tried once more for the others, which would wait as long again; what was answered before stays.
            answers |= {index: error for index in ready if index not in answers}
        return [answers[index] for index in range(len(requests))]

    def _parts(
        self, operations: dict[int, Operation], ready: dict[int, dict[str, Any]]
    ) -> Iterator[tuple[Merge, list[int]]]:
        """Divide what can be merged into parts, none of which is more work than one request may be."""
        for operation_id, merge in ((_RECORD, self._recorded), (_PLACE, self._placed)):
            part: list[int] = []
            size = 0
            for index in (index for index, operation in operations.items() if operation.operation_id == operation_id):
                count = _count(ready[index][GIVEN])
                if size + count > BATCH_LIMIT:
                    yield from [(merge, part)] if len(part) > 1 else []
                    part, size = [], 0
                part.append(index)
                size += count
            if len(part) > 1:
                yield merge, part

    def _merged(self, merge: Merge, part: dict[int, Given]) -> dict[int, Response | Exception]:
        """Answer requests by one unit of work; give nothing where one of them keeps the others from it.

        Then each is to be answered on its own, which tells which one it is. Raises Unavailable.
        """
        try:
            answers = merge(list(part.values()), max(given["now"] for given in part.values()))
        except Unavailable:
            raise
        except Exception as error:
            logger.debug("%d requests cannot be merged: %r", len(part), error)
            return {}
        # What is told is told of what is committed: one that cannot be written keeps nobody else's.
        return {index: outcome(answer) for index, answer in zip(part, answers, strict=True)}

    def _recorded(self, requests: Sequence[Given], now: datetime) -> list[Telling]:
        """Record what several requests send: one insert, one addition to each counter."""
        sent = [
            (given["caller"].organization_number, read_batch(given["media_type"], given["payload"]))
            for given in requests
        ]
        recorded = events.record_together(self.store, sent, now)
        return [partial(self._response_of, _RECORD, each.to_json, 200) for each in recorded]

    def _placed(self, requests: Sequence[Given], now: datetime) -> list[Telling]:
        """Decide on the holds that several requests ask for: what is used and held is added up once."""
        sent = [(given["caller"].organization_number, Asked.from_json(given["payload"])) for given in requests]
        placed = holds.place_together(self.store, sent, self.decision_clock)
        return [
            partial(_raise, each)
            if isinstance(each, Refusal)
            else partial(self._response_of, _PLACE, partial(each[0].to_json, now), 201 if each[1] else 200)
            for each in placed
        ]

    def _response_of(self, operation_id: str, value: Callable[[], Any], status: int) -> Response:
        answer = answer_of(self.contract.operations[operation_id], value(), status)
        return answer.start(), answer.body

    def _apart(self, requests: dict[int, Request], ready: dict[int, dict[str, Any]]) -> dict[int, Response | Exception]:
        """Answer requests each by its handler; those share a commit that cannot make others wait for each other.

        On PostgreSQL what records locks events, then counters. Two of it in one transaction would lock events behind
        counters, and it and another process could wait for each other.
        """
        works = {
            index: partial(request.context.run, self.handled, request.operation, request.scope, ready[index])
            for index, request in requests.items()
        }
        shares = [
            index
            for index, request in requests.items()
            if self.store.is_sqlite or request.operation.operation_id not in _COUNTING
        ]
        numbers = {ready[index][GIVEN]["caller"].organization_number for index in shares}

        def first() -> None:
            for number in sorted(numbers):
                organizations.lock(self.store, number)

        shared = self.store.together([works[index] for index in shares], first)
        answers: dict[int, Response | Exception] = dict(zip(shares, shared, strict=True))
        for index, work in works.items():
            if index not in answers:
                answers[index] = outcome(work)
                if isinstance(answers[index], Unavailable):
                    # It waited in vain for a lock that the others would wait for, too.
                    return {**dict.fromkeys(works, answers[index]), **answers}
        return answers


def _count(given: Given) -> int:
    """Count the events of a body; a hold is as one, and so is a CloudEvent, which may have a member of any name."""
    payload = given["payload"]
    if isinstance(payload, list):
        return len(payload)
    return len(payload.get("events", [payload])) if given["media_type"] == "application/json" else 1


def _raise(refusal: Refusal) -> NoReturn:
    raise refusal
