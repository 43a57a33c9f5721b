"""`organizations.…`: whom usage is counted for; for operators."""

from datetime import datetime
from typing import Any

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.instants import read_instant
from sendmeter.domain.keys import Key
from sendmeter.services import organizations
from sendmeter.services.organizations import Change
from sendmeter.store import Store


def search(store: Store, caller: Key, now: datetime, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a page of all organizations."""
    page = organizations.search(store, caller.organization_number, cursor, limit)
    return page.to_json(lambda organization: organization.to_json(now))


def create(store: Store, caller: Key, now: datetime, payload: Any) -> tuple[dict[str, Any], int]:  # noqa: ANN401 - JSON
    """Make an organization with its first key."""
    founded = organizations.create(
        store,
        payload["name"],
        Anchor(payload.get("anchorDay", 1), payload.get("timezone", "UTC")),
        Caps.from_json(payload.get("limits", {})),
        now,
        by=caller.key_id,
        starts_at=read_instant(payload["startsAt"]) if "startsAt" in payload else None,
    )
    made = founded.organization.to_json(now)
    return made | {"accountId": founded.account_id, "apiKey": founded.token}, 201


def get(store: Store, now: datetime, organization_id: str) -> dict[str, Any]:
    """Return an organization."""
    return organizations.get(store, organization_id).to_json(now)


def change(store: Store, caller: Key, now: datetime, organization_id: str, payload: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Change an organization."""
    wanted = Change(
        name=payload.get("name"),
        anchor_day=payload.get("anchorDay"),
        time_zone=payload.get("timezone"),
        caps=Caps.from_json(payload["limits"]) if "limits" in payload else None,
    )
    return organizations.change(store, organization_id, wanted, now, by=caller.key_id).to_json(now)
