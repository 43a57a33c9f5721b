"""`providers.…`: who delivers messages and tells what they cost."""

from datetime import datetime
from typing import Any

from sendmeter.domain import providers as rules
from sendmeter.domain.keys import Key
from sendmeter.integrations.delivery import Delivery
from sendmeter.integrations.http_client import Outgoing
from sendmeter.services import providers
from sendmeter.services.providers import Status
from sendmeter.services.vault import vault_of
from sendmeter.settings import Settings
from sendmeter.store import Store


def search(store: Store, settings: Settings, caller: Key) -> dict[str, Any]:
    """Return the organization's providers, and how they fare."""
    found = providers.search(store, caller.organization_number)
    return {"items": [_status_json(settings, status) for status in found]}


def add(store: Store, settings: Settings, caller: Key, now: datetime, payload: Any) -> tuple[dict[str, Any], int]:  # noqa: ANN401 - JSON
    """Set a provider up, or change it."""
    vault = vault_of(settings.secrets_key)
    status, is_new = providers.add(
        store, vault, caller.organization_number, payload["provider"], payload, now, by=caller.key_id
    )
    return _status_json(settings, status), 201 if is_new else 200


def remove(store: Store, caller: Key, now: datetime, provider: str) -> tuple[None, int]:
    """Forget a provider."""
    providers.remove(store, caller.organization_number, provider, now, by=caller.key_id)
    return None, 204


def receive(  # noqa: PLR0913, PLR0917 - a signature may be over any part of a request
    store: Store,
    settings: Settings,
    outgoing: Outgoing,
    now: datetime,
    headers: dict[bytes, list[bytes]],
    media_type: str,
    payload: bytes,
    provider: str,
    endpoint_id: str,
    body_sha256: str | None,
) -> dict[str, Any]:
    """Take what a provider reports."""
    url = rules.endpoint_url(settings.public_url, provider, endpoint_id)
    delivery = Delivery(url, _given_once(headers), media_type, payload, body_sha256)
    vault = vault_of(settings.secrets_key)
    return {"outcome": providers.receive(store, vault, outgoing, provider, endpoint_id, delivery, now)}


def _status_json(settings: Settings, status: Status) -> dict[str, Any]:
    connection = status.connection
    return status.to_json(rules.endpoint_url(settings.public_url, connection.provider, connection.endpoint_id))


def _given_once(headers: dict[bytes, list[bytes]]) -> dict[str, str]:
    """Read the headers that are given just once: what is given twice proves nothing."""
    return {name.decode("latin-1"): values[0].decode("latin-1") for name, values in headers.items() if len(values) == 1}
