"""Organizations and their accounts in the store."""

import json
from typing import Any

from peewee import IntegrityError

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.ids import organization_number
from sendmeter.domain.instants import instant_of, microseconds
from sendmeter.domain.organizations import Organization
from sendmeter.store.database import Store
from sendmeter.store.tables import Accounts, Organizations

_COLUMNS = tuple(field.column_name for field in Organizations._meta.sorted_fields)
_BY_NUMBER = f"SELECT {', '.join(_COLUMNS)} FROM organizations WHERE organization_id = ?"


def insert(store: Store, organization: Organization, account_id: str) -> bool:
    """Store a new organization with its first account; False where its number is taken."""
    try:
        with store.database.atomic():
            Organizations.insert(_to_row(organization)).execute(store.database)
    except IntegrityError:
        return False
    Accounts.insert(
        organization_id=organization.number,
        account_id=account_id,
        created_at=microseconds(organization.created_at),
    ).execute(store.database)
    return True


def by_number(store: Store, number: int) -> Organization | None:
    """Find an organization by the number that the store knows it by."""
    row = store.execute(_BY_NUMBER, (number,)).fetchone()
    return None if row is None else _from_row(dict(zip(_COLUMNS, row, strict=True)))


def by_id(store: Store, organization_id: str) -> Organization | None:
    """Find an organization by its public id."""
    number = organization_number(organization_id)
    found = None if number is None else by_number(store, number)
    return found if found and found.organization_id == organization_id else None


def everyone(store: Store) -> list[Organization]:
    """List all organizations, oldest first. For the operator: no request of an organization asks this."""
    query = Organizations.select().order_by(Organizations.organization_id).dicts()
    return [_from_row(row) for row in query.execute(store.database)]


def first_account(store: Store, number: int) -> str:
    """Name the account that was made with the organization."""
    query = (
        Accounts.select(Accounts.account_id)
        .where(Accounts.organization_id == number)
        .order_by(Accounts.account_id)
        .limit(1)
    )
    return str(next(iter(query.tuples().execute(store.database)))[0])


def _to_row(organization: Organization) -> dict[str, Any]:
    caps = organization.caps
    return {
        "organization_id": organization.number,
        "public_id": organization.organization_id,
        "name": organization.name,
        "anchor_day": organization.anchor.day,
        "time_zone": organization.anchor.time_zone,
        "starts_at": microseconds(organization.starts_at),
        "created_at": microseconds(organization.created_at),
        "enforcement": caps.enforcement,
        "message_cap": caps.messages,
        "budget_cap_nano_usd": caps.budget_nano_usd,
        "channel_caps": json.dumps(dict(caps.channels)) if caps.channels else None,
    }


def _from_row(row: dict[str, Any]) -> Organization:
    return Organization(
        number=row["organization_id"],
        organization_id=row["public_id"],
        name=row["name"],
        anchor=Anchor(row["anchor_day"], row["time_zone"]),
        starts_at=instant_of(row["starts_at"]),
        created_at=instant_of(row["created_at"]),
        caps=Caps(
            messages=row["message_cap"],
            budget_nano_usd=row["budget_cap_nano_usd"],
            channels=json.loads(row["channel_caps"]) if row["channel_caps"] else {},
            enforcement=row["enforcement"],
        ),
    )
