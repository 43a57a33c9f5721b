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
from sendmeter.domain.keys import read_token
from sendmeter.errors import Unavailable
from sendmeter.providers.outgoing import Outgoing
from sendmeter.services import events
from sendmeter.settings import Settings
from sendmeter.store import Store, organizations
from sendmeter.web.bridge import Bridge, Request, Response, Scope
from sendmeter.web.groups import Groups
from sendmeter.web.validation import GIVEN, answer_of

_RECORD = "events.record"
# They do nothing but write to the database, and are idempotent: run again they do nothing more.
_TOGETHER = (_RECORD, "holds.place", "holds.settle", "holds.release")
_FEW_ROWS = ("usage.get", "health.ready")


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
        recording = [index for index in ready if requests[index].operation.operation_id == _RECORD]
        if len(recording) > 1:
            answers.update(zip(recording, self._recorded([ready[index][GIVEN] for index in recording]), strict=False))
        works = {
            index: partial(request.context.run, self.handled, request.operation, request.scope, ready[index])
            for index, request in enumerate(requests)
            if index not in answers
        }
        first = _nothing if self.store.is_sqlite else partial(organizations.lock, self.store, lane)
        answers.update(zip(works, self.store.together([*works.values()], first), strict=True))
        return [answers[index] for index in range(len(requests))]

    def _recorded(self, requests: Sequence[dict[str, Any]]) -> list[Response | Exception]:
        """Record what several requests send, with one statement for all; give nothing where one of them is refused.

        Then each is to be answered on its own, which tells which one it is.
        """
        operation = self.contract.operations[_RECORD]
        try:
            sent = [
                (given["caller"].organization_number, read_batch(given["media_type"], given["payload"]))
                for given in requests
            ]
            recorded = events.record_together(self.store, sent, max(given["now"] for given in requests))
            answers = [answer_of(operation, each.to_json(), 200) for each in recorded]
        except Unavailable as error:
            return [error] * len(requests)
        except Exception:
            return []
        return [(answer.start(), answer.body) for answer in answers]


def _nothing() -> None:
    pass
