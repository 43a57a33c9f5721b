"""The bridge of a server: each request is answered where it takes least.

What reads a few rows of a file is answered at once, what records is answered together with what came meanwhile, and all
else on a thread of its own (docs/decisions/0010).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any

from sendmeter.contract import Contract
from sendmeter.domain.events import read_batch
from sendmeter.domain.holds import Asked
from sendmeter.domain.keys import read_token
from sendmeter.errors import Refusal, Unavailable
from sendmeter.providers.outgoing import Outgoing
from sendmeter.services import events, holds
from sendmeter.settings import Settings
from sendmeter.store import Store, organizations
from sendmeter.web.bridge import Bridge, Request, Response, Scope
from sendmeter.web.envelope import Answer
from sendmeter.web.groups import Groups
from sendmeter.web.validation import GIVEN, answer_of

_RECORD, _PLACE = "events.record", "holds.place"
# They do nothing but write to the database, and are idempotent: run again they do nothing more.
_TOGETHER = (_RECORD, _PLACE, "holds.settle", "holds.release")
_FEW_ROWS = ("usage.get", "health.ready")

Given = dict[str, Any]
"""What a handler may name of a request."""
Merged = Callable[[Sequence[Given], datetime], list[Answer | Refusal]]


class ServerBridge(Bridge):
    """The bridge of a server, which has one store."""

    def __init__(
        self,
        wsgi_app: Callable[..., Any],
        *,
        contract: Contract,
        settings: Settings,
        clock: Callable[[], datetime],
        outgoing: Outgoing,
        store: Store,
    ) -> None:
        super().__init__(wsgi_app, contract=contract, settings=settings, clock=clock, outgoing=outgoing)
        self.store = store
        # SQLite has one writer: one thread, whose connection keeps the pages that writing needs.
        self.recorder = ThreadPoolExecutor(1, thread_name_prefix="recorder") if store.is_sqlite else self.writers
        self.groups = Groups(self._answer_together, self.recorder)

    def close(self) -> None:
        """Let the requests under way finish, then close the store."""
        super().close()
        self.recorder.shutdown()
        self.store.close()

    def store_of(self, _scope: Scope) -> Store:
        """Give the store."""
        return self.store

    async def answered(self, request: Request) -> Response:
        """Answer a request at once, with others, or on a thread of its own."""
        operation_id = request.operation.operation_id
        if operation_id == "health.live" or (self.store.is_sqlite and operation_id in _FEW_ROWS):
            # A change of threads would cost more than a few indexed rows of a file do, and in WAL mode a reader waits
            # for nobody.
            return self.answer(request)
        if operation_id in _TOGETHER:
            return await self.groups.answered(self._lane_of(request), request)
        return await super().answered(request)

    def _lane_of(self, request: Request) -> int:
        """Tell which requests could not be worked on at the same time anyway.

        On SQLite those are all that write. On PostgreSQL those of one organization are, which add to the same counters;
        the number that a token has is believed here, as whoever lies about it is refused when the turn comes.
        """
        if self.store.is_sqlite:
            return 0
        shown = [value for name, value in request.scope["headers"] if name == b"authorization"]
        read = read_token(shown[0].decode("latin-1").rpartition(" ")[2]) if shown else None
        return read[0] if read else 0

    def _answer_together(self, lane: int, requests: Sequence[Request]) -> list[Response | Exception]:
        """Answer the requests of a lane: first what is wrong with their form, then what records, then the others."""
        answers: dict[int, Response | Exception] = {}
        ready: dict[int, dict[str, Any]] = {}
        for index, request in enumerate(requests):
            try:
                ready[index] = request.context.run(self.prepared, request)
            except Exception as error:
                answers[index] = error
        for operation_id, merged in ((_RECORD, self._recorded), (_PLACE, self._placed)):
            found = [index for index in ready if requests[index].operation.operation_id == operation_id]
            if len(found) > 1:
                answers.update(zip(found, self._merged(merged, [ready[index][GIVEN] for index in found]), strict=False))
        works = {
            index: partial(request.context.run, self.handled, request.operation, request.scope, ready[index])
            for index, request in enumerate(requests)
            if index not in answers
        }
        first = _nothing if self.store.is_sqlite else partial(organizations.lock, self.store, lane)
        answers.update(zip(works, self.store.together([*works.values()], first), strict=True))
        return [answers[index] for index in range(len(requests))]

    def _merged(self, answer: Merged, requests: Sequence[Given]) -> list[Response | Exception]:
        """Answer requests by one unit of work; give nothing where one of them keeps the others from it.

        Then each is to be answered on its own, which tells which one it is.
        """
        try:
            return [
                each if isinstance(each, Refusal) else (each.start(), each.body)
                for each in answer(requests, max(given["now"] for given in requests))
            ]
        except Unavailable as error:
            return [error] * len(requests)
        except Exception:
            return []

    def _recorded(self, requests: Sequence[Given], now: datetime) -> list[Answer | Refusal]:
        """Record what several requests send: one insert, one addition to each counter."""
        operation = self.contract.operations[_RECORD]
        sent = [
            (given["caller"].organization_number, read_batch(given["media_type"], given["payload"]))
            for given in requests
        ]
        return [answer_of(operation, each.to_json(), 200) for each in events.record_together(self.store, sent, now)]

    def _placed(self, requests: Sequence[Given], now: datetime) -> list[Answer | Refusal]:
        """Decide on the holds that several requests ask for: what is used and held is added up once."""
        operation = self.contract.operations[_PLACE]
        sent = [(given["caller"].organization_number, Asked.from_json(given["payload"])) for given in requests]
        return [
            each if isinstance(each, Refusal) else answer_of(operation, each[0].to_json(now), 201 if each[1] else 200)
            for each in holds.place_together(self.store, sent, now)
        ]


def _nothing() -> None:
    pass
