"""Providers: an organization's connections to them, how those fare, and what comes in."""

import hmac
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sendmeter.domain.instants import instant_text
from sendmeter.domain.providers import (
    ENDPOINT_SECRET_BYTES,
    Connection,
    Health,
    Trouble,
    endpoint_id_of,
    read_endpoint_id,
)
from sendmeter.errors import NotFound, Unavailable
from sendmeter.integrations import KNOWN
from sendmeter.integrations.delivery import Delivery
from sendmeter.integrations.errors import MessageTrouble, ProviderTrouble
from sendmeter.integrations.http_client import Outgoing
from sendmeter.services import audit, receipts
from sendmeter.services.vault import Vault
from sendmeter.store import Store, messages, organizations, providers

SECRETS: Final[Mapping[str, tuple[str, ...]]] = {"telnyx": ("apiKey",), "twilio": ("authToken",), "ses": ()}
"""What is secret of what a provider is set up with, by the contract's names; with a secret it is asked for prices."""
SELDOM = timedelta(minutes=1)
"""How exactly it is kept when the last report came: not each is worth a write."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Status:
    """A connection, and how many costs are pending with it.

    `oldest` is when the first of those events was sent, `asked_at` when a price is to be asked for next.
    """

    connection: Connection
    pending: int
    oldest: datetime | None
    asked_at: datetime | None

    def to_json(self, endpoint_url: str) -> dict[str, Any]:
        """Write the contract's `Provider`; what there is not is left out."""
        connection, health = self.connection, self.connection.health
        times = {
            "failingSince": health.failing_since,
            "nextQuestionAt": self.asked_at,
            "oldestPendingCost": self.oldest,
            "lastAnswerAt": health.last_answer_at,
            "lastReceiptAt": health.last_receipt_at,
        }
        trouble = health.last_trouble
        return {
            "provider": connection.provider,
            "endpointId": connection.endpoint_id,
            "endpointUrl": endpoint_url,
            **connection.settings,
            "records": connection.records,
            "asksForPrices": connection.polls,
            "state": "failing" if health.failing_since else "ok",
            "pendingCosts": self.pending,
            **{name: instant_text(instant) for name, instant in times.items() if instant is not None},
            **({"lastTrouble": trouble.to_json()} if trouble else {}),
            "createdAt": instant_text(connection.created_at),
        }


def search(store: Store, organization_number: int) -> list[Status]:
    """List an organization's connections and how they fare, by the provider's name."""

    def work() -> list[Status]:
        pending = providers.pending(store, organization_number)
        return [_status(store, each, pending.get(each.provider)) for each in providers.of(store, organization_number)]

    return store.snapshot(work)


def _status(store: Store, connection: Connection, pending: tuple[int, datetime] | None) -> Status:
    count, oldest = pending or (0, None)
    due = messages.next_due(store, connection.organization_number, connection.provider) if connection.polls else None
    return Status(connection, count, oldest, None if due is None else max(due, connection.health.poll_at))


def add(
    store: Store,
    vault: Vault,
    organization_number: int,
    provider: str,
    given: Mapping[str, Any],
    now: datetime,
    *,
    by: str,
) -> tuple[Status, bool]:
    """Set a provider up, or change how it is; tell whether it is new. One that is changed keeps its endpoint.

    `given` is the contract's `ProviderSetup`. Raises Conflict if there is a secret and no key to encrypt it with.
    """
    hidden = {name: str(given[name]) for name in SECRETS[provider] if name in given}
    shown = {name: str(value) for name, value in given.items() if name not in (*hidden, "provider", "records")}
    asked = Connection(
        organization_number=organization_number,
        provider=provider,
        endpoint_id=endpoint_id_of(organization_number, secrets.token_bytes(ENDPOINT_SECRET_BYTES)),
        # There is nothing to settle of an email.
        records=provider == "ses" or bool(given.get("records")),
        settings=shown,
        sealed_secrets=vault.seal(hidden),
        polls=bool(hidden),
        created_at=now,
        health=Health(poll_at=now),
    )

    def work() -> tuple[Status, bool]:
        organizations.lock(store, organization_number)
        known = providers.by_provider(store, organization_number, provider)
        is_new = known is None or known.endpoint_id == asked.endpoint_id
        # Run again after a commit in doubt, it finds what it stored.
        if known is None or not _same(known, asked):
            store_it = providers.insert if known is None else providers.update
            store_it(store, asked)
            messages.ask_anew(store, organization_number, provider, now)
            action = "provider.added" if known is None else "provider.changed"
            audit.add(store, organization_number, action, _audit_details(asked, sorted(hidden)), by=by, now=now)
        stored = providers.by_provider(store, organization_number, provider) or asked
        return _status(store, stored, providers.pending(store, organization_number).get(provider)), is_new

    return store.write(work)


def _same(known: Connection, asked: Connection) -> bool:
    """Return whether a connection is set up like that; secrets that are sealed twice are not the same text."""
    one, other = ((each.records, dict(each.settings), each.sealed_secrets) for each in (known, asked))
    return one == other


def remove(store: Store, organization_number: int, provider: str, now: datetime, *, by: str) -> None:
    """Forget a provider, with its secrets and its endpoint. Costs that are pending with it stay so.

    Raises NotFound if it is not set up.
    """
    removed: list[str] = []

    def work() -> None:
        organizations.lock(store, organization_number)
        known = providers.by_provider(store, organization_number, provider)
        if known is None:
            if removed:
                return  # run again after a commit in doubt
            raise NotFound(f"{provider} is not set up.", fix="List the providers that are.")
        providers.delete(store, organization_number, provider)
        removed.append(known.endpoint_id)
        audit.add(store, organization_number, "provider.removed", _audit_details(known, []), by=by, now=now)

    store.write(work)


def receive(
    store: Store,
    vault: Vault,
    outgoing: Outgoing,
    provider: str,
    endpoint_id: str,
    delivery: Delivery,
    now: datetime,
) -> str:
    """Take what a provider delivers at an endpoint; tell what became of it, in the contract's words.

    Raises NotFound if there is no such endpoint, Unauthorized where the signature is not the provider's,
    InvalidRequest where what is signed cannot be read, and Unavailable where it cannot be verified now.
    """
    connection = _at_endpoint(store, provider, endpoint_id)
    number = connection.organization_number
    # Only Twilio signs with a secret: who lost the key of secrets still gets what the others tell.
    secret = vault.unseal(connection.sealed_secrets) if provider == "twilio" else {}
    account = {**connection.settings, **secret}
    try:
        receipt = KNOWN[provider].receive(delivery, account, now, outgoing)
    except MessageTrouble as trouble:
        told = Trouble(trouble.code, trouble.message, now)
        logger.warning("%s: %s (%s)", provider, trouble.message, trouble.code)
        store.write(lambda: providers.troubled(store, number, provider, told))
        receipt = trouble.receipt
    except ProviderTrouble as trouble:
        raise Unavailable(f"{trouble.message} What was delivered cannot be verified now.") from trouble
    if receipt is None:
        return receipts.IGNORED
    last = connection.health.last_receipt_at
    if last is None or last < now - SELDOM:
        store.write(lambda: providers.received(store, number, provider, now))
    return receipts.take(store, number, provider, receipt, now, records=connection.records)


def reseal(store: Store, vault: Vault) -> int:
    """Encrypt all secrets, of all organizations, with the vault's first key; tell how many.

    Raises Unavailable if one cannot be decrypted, and Conflict where there is no key.
    """
    count = 0
    for organization in store.read(lambda: organizations.everyone(store)):
        for connection in store.read(partial(providers.of, store, organization.number)):
            if connection.sealed_secrets is not None:
                sealed = vault.reseal(connection.sealed_secrets)
                count += store.write(partial(providers.reseal, store, connection, sealed))
    return count


def _at_endpoint(store: Store, provider: str, endpoint_id: str) -> Connection:
    number = read_endpoint_id(endpoint_id)
    found = None if number is None else store.read(lambda: providers.by_provider(store, number, provider))
    if found is None or not hmac.compare_digest(found.endpoint_id, endpoint_id):
        raise NotFound(
            "There is no such endpoint (any more).",
            fix="Give the provider the endpointUrl that GET /organization/providers shows.",
        )
    return found


def _audit_details(connection: Connection, hidden: list[str]) -> dict[str, Any]:
    """Return how a provider is set up, for the audit log: only the names of its secrets."""
    told = {"provider": connection.provider, "records": connection.records, **connection.settings}
    return told | ({"secrets": hidden} if hidden else {})
