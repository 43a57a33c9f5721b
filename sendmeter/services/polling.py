"""Asking providers for prices: oldest first, politely, and by one worker at a time for each connection.

A worker runs in each server process. Which of them asks is decided in the store, by a lease: so it is one across
processes and machines, and when it is killed another goes on once the lease has run out. No transaction is open while a
provider is waited for, and what it answers is stored in one, so there is nothing that a kill could leave half done.
"""

import logging
import os
import random
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType

from sendmeter.domain.providers import LONGEST_WAIT, MOST_QUESTIONS, Connection, Trouble, next_question, pause_after
from sendmeter.domain.receipts import Receipt
from sendmeter.errors import InvalidRequest, Unavailable
from sendmeter.integrations import KNOWN
from sendmeter.integrations.errors import MessageTrouble, ProviderTrouble
from sendmeter.integrations.http_client import Outgoing
from sendmeter.services import receipts
from sendmeter.services.vault import Vault
from sendmeter.store import Store, messages, providers
from sendmeter.store.messages import Message

CONNECTIONS_AT_ONCE = 50
_OUT_OF_REACH = ("timeout", "unreachable")
QUESTIONS_AT_ONCE = 20
_SHORTEST_LEASE = timedelta(seconds=5)
logger = logging.getLogger(__name__)


class Poller:
    """A worker that asks for prices, in a thread of its own while it is entered."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        outgoing: Outgoing,
        clock: Callable[[], datetime],
        *,
        seconds: float,
        per_second: float,
        timeout_seconds: float,
    ) -> None:
        """Keep what it works with; `seconds` is how long to wait before looking again, 0 for never looking."""
        self._store, self._vault, self._outgoing, self._clock = store, vault, outgoing, clock
        self._seconds, self._spacing = seconds, 1 / per_second
        # Longer than a question and storing its answer may take; kept before each.
        self._lease = max(_SHORTEST_LEASE, 3 * timedelta(seconds=timeout_seconds)) + timedelta(seconds=self._spacing)
        self._name = f"{socket.gethostname()[:64]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def __enter__(self) -> "Poller":
        if self._seconds:
            self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Stop; the questions that are under way are broken off, and asked again by whoever comes next."""
        self._stop.set()
        self._outgoing.close()
        if self._thread.is_alive():
            self._thread.join()

    def round(self) -> int:
        """Ask each connection that is due for the prices that are; tell how many questions were asked."""
        now = self._clock()
        self._forget_failures()
        self._bring_forward(now)
        found = self._store.read(lambda: providers.due(self._store, now, CONNECTIONS_AT_ONCE))
        asked = 0
        # A provider that cannot be reached is not waited for once more for each organization that is set up with it.
        out_of_reach: set[str] = set()
        for connection in found:
            if not self._stop.is_set() and connection.provider not in out_of_reach:
                asked += self._visit(connection, out_of_reach)
        return asked

    def _forget_failures(self) -> None:
        """Forget failures of providers of which no price is waited for: nobody would find out that they end."""
        for number, provider in self._store.read(lambda: providers.stale(self._store)):
            self._store.write(partial(providers.forget_failure, self._store, number, provider))

    def _bring_forward(self, now: datetime) -> None:
        """Ask now for what a clock that was ahead has put off: until that time comes again could take years."""
        latest = now + LONGEST_WAIT
        for number, provider in self._store.read(lambda: providers.due_after(self._store, latest)):
            self._store.write(partial(self._brought_forward, number, provider, latest, now))

    def _brought_forward(self, number: int, provider: str, latest: datetime, now: datetime) -> None:
        providers.bring_forward(self._store, number, provider, latest, now)
        messages.bring_forward(self._store, number, provider, latest, now)

    def _run(self) -> None:
        while not self._stop.is_set():
            asked = 0
            try:
                asked = self.round()
            except Unavailable as error:
                logger.warning("asking for prices: %s It goes on later.", error)
            except Exception:
                # Whatever it is, costs that come later than they could are better than none any more.
                logger.exception("asking for prices failed; it goes on later")
            if not asked:
                self._stop.wait(self._seconds)

    def _visit(self, connection: Connection, out_of_reach: set[str]) -> int:
        """Ask one connection for the prices that are due."""
        number, provider = connection.organization_number, connection.provider
        due = self._store.read(lambda: messages.due(self._store, number, provider, self._clock(), QUESTIONS_AT_ONCE))
        asked, failed_until, has_answered = 0, None, False
        for message in due:
            # Taken anew for each question: it may have been set up otherwise, or be another's.
            leased = None if self._stop.is_set() else self._leased(connection)
            if leased is None:
                break
            asked += 1
            try:
                if self._ask(leased, message) and not has_answered:
                    has_answered = True
                    self._answered(leased)
            except ProviderTrouble as trouble:
                # What is broken off because this worker stops is not the provider's failure.
                failed_until = None if self._stop.is_set() else self._failed(leased, message, trouble)
                if trouble.code in _OUT_OF_REACH:
                    out_of_reach.add(provider)
                break
            self._stop.wait(self._spacing)
        if asked:
            self._release(connection, failed_until or self._clock())
        return asked

    def _leased(self, connection: Connection) -> Connection | None:
        """Take a connection, or keep it for as long again as a question may take; give it as it is set up now."""
        now = self._clock()
        until = now + self._lease
        return self._store.write(lambda: providers.lease(self._store, connection, self._name, now, until))

    def _answered(self, connection: Connection) -> None:
        now = self._clock()
        self._store.write(lambda: providers.answered(self._store, connection, self._name, now))

    def _release(self, connection: Connection, poll_at: datetime) -> None:
        """Release the connection, to be asked again from an instant on."""
        self._store.write(lambda: providers.release(self._store, connection, self._name, poll_at))

    def _account(self, connection: Connection) -> Mapping[str, str]:
        try:
            return {**connection.settings, **self._vault.unseal(connection.sealed_secrets)}
        except Unavailable as error:
            raise ProviderTrouble("secrets_unreadable", error.message) from error

    def _ask(self, connection: Connection, message: Message) -> bool:
        """Ask for one price, and store what is answered; False where it cannot be asked for."""
        number, provider = connection.organization_number, connection.provider
        asked_at = self._clock()
        trouble = None
        pattern = KNOWN[provider].IDS.get(message.channel)
        if pattern is None or not pattern.fullmatch(message.message_id):
            self._store.write(lambda: self._give_up(connection, message, is_strange=pattern is not None))
            return False
        account = self._account(connection)
        try:
            price = KNOWN[provider].price(account, message.channel, message.message_id, self._outgoing)
        except MessageTrouble as error:
            price, trouble = None, Trouble(error.code, error.message, asked_at)
            logger.warning("%s, message %s: %s (%s)", provider, message.message_id, error.message, error.code)
        if price is None:
            self._store.write(lambda: self._later(connection, message, trouble))
            return True
        receipt = Receipt(message.message_id, message.channel, asked_at, price)
        try:
            receipts.take(self._store, number, provider, receipt, self._clock(), records=False)
        except InvalidRequest as error:
            uncounted = Trouble("uncounted", error.message, asked_at)
            self._store.write(lambda: self._later(connection, message, uncounted))
        return True

    def _give_up(self, connection: Connection, message: Message, *, is_strange: bool) -> None:
        """Never ask for a price that cannot be asked for; where the message's id is the reason, say so."""
        trouble = None
        if is_strange:
            said = f"A providerMessageId of {message.channel} was reported that is none of {connection.provider}'s."
            trouble = Trouble("unknown_message", said, self._clock())
        self._noted(connection, message, None, trouble)

    def _later(self, connection: Connection, message: Message, trouble: Trouble | None) -> None:
        """Note that a price is not there yet, and what was wrong if anything was."""
        pause = next_question(message.asked + 1)
        if pause is None and trouble is None:
            said = f"A price was asked for {MOST_QUESTIONS} times, and never told."
            trouble = Trouble("no_price", said, self._clock())
        self._noted(connection, message, None if pause is None else self._clock() + pause, trouble)

    def _noted(
        self, connection: Connection, message: Message, again_at: datetime | None, trouble: Trouble | None
    ) -> None:
        if trouble is not None:
            providers.troubled(self._store, connection.organization_number, connection.provider, trouble)
        messages.asked(self._store, connection.organization_number, message.key, again_at)

    def _failed(self, connection: Connection, message: Message, trouble: ProviderTrouble) -> datetime:
        """Note a failure, and tell when the provider may be asked next.

        Then others come before the message that was asked for: it may be the one that the provider fails at.
        """
        now, number, provider = self._clock(), connection.organization_number, connection.provider
        jitter = random.random()  # noqa: S311 - a pause, not a secret
        told = Trouble(trouble.code, trouble.message, now)

        def work() -> datetime:
            known = providers.by_provider(self._store, number, provider)
            failures = known.health.failures + 1 if known else 1
            poll_at = now + pause_after(failures, trouble.retry_after, jitter)
            providers.failed(self._store, number, provider, told, poll_at, worker=self._name)
            messages.postpone(self._store, number, message.key, poll_at)
            return poll_at

        logger.warning("%s fails: %s (%s)", provider, trouble.message, trouble.code)
        return self._store.write(work)
