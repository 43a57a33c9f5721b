"""Organizations and their accounts in the store."""

import json
from datetime import datetime
from functools import lru_cache
from typing import Any

from peewee import IntegrityError

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor, Schedule
from sendmeter.domain.ids import organization_number
from sendmeter.domain.instants import instant_of, microseconds
from sendmeter.domain.organizations import Organization
from sendmeter.errors import NotFound
from sendmeter.store.database import Store
from sendmeter.store.tables import Accounts, Organizations

_COLUMNS = tuple(field.column_name for field in Organizations._meta.sorted_fields)
_BY_NUMBER = f"SELECT {', '.join(_COLUMNS)} FROM organizations WHERE organization_id = ?"
# Changes nothing, and keeps the row locked until the transaction ends.
_LOCK = f"UPDATE organizations SET name = name WHERE organization_id = ? RETURNING {', '.join(_COLUMNS)}"
_DECIDED = "UPDATE organizations SET decided_at = ? WHERE organization_id = ?"


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


def by_number(store: Store, number: int) -> Organization:
    """Find an organization by the number that the store knows it by.

    Raises NotFound if there is none.
    """
    return _one(store, _BY_NUMBER, number)


def lock(store: Store, number: int) -> Organization:
    """Find an organization, and let nobody else lock it before this transaction ends.

    Whatever decides by what is stored comes here first: holds, corrections, changes of caps and anchors, cycles that
    are written down. On SQLite the transaction holds the one write lock already. Raises NotFound if there is none.
    """
    return _one(store, _BY_NUMBER if store.is_sqlite else _LOCK, number)


def update(store: Store, organization: Organization) -> None:
    """Store what may change of an organization: name, schedule and caps."""
    row = _to_row(organization)
    changing = ("name", "schedule", "enforcement", "message_cap", "budget_cap_nano_usd", "channel_caps")
    query = Organizations.update({name: row[name] for name in changing})
    query.where(Organizations.organization_id == organization.number).execute(store.database)


def decided(store: Store, number: int, decided_at: datetime) -> None:
    """Store the instant of a decision about a hold, within the transaction that has the organization locked."""
    store.execute(_DECIDED, (microseconds(decided_at), number))


def by_id(store: Store, organization_id: str) -> Organization | None:
    """Find an organization by its public id."""
    number = organization_number(organization_id)
    try:
        found = None if number is None else by_number(store, number)
    except NotFound:
        found = None
    return found if found and found.organization_id == organization_id else None


def everyone(store: Store, *, after: int = 0, limit: int | None = None) -> list[Organization]:
    """List all organizations, oldest first, from the one after a number. For the operator alone."""
    query = Organizations.select().where(Organizations.organization_id > after)
    query = query.order_by(Organizations.organization_id).limit(limit).dicts()
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


def _one(store: Store, statement: str, number: int) -> Organization:
    row = store.execute(statement, (number,)).fetchone()
    if row is None:
        raise NotFound("There is no such organization (any more).")
    return _from_row(dict(zip(_COLUMNS, row, strict=True)))


def _to_row(organization: Organization) -> dict[str, Any]:
    caps = organization.caps
    return {
        "organization_id": organization.number,
        "public_id": organization.organization_id,
        "name": organization.name,
        "starts_at": microseconds(organization.starts_at),
        "created_at": microseconds(organization.created_at),
        "schedule": _schedule_text(organization.schedule),
        "cursor_key": organization.cursor_key.hex(),
        "enforcement": caps.enforcement,
        "message_cap": caps.messages,
        "budget_cap_nano_usd": caps.budget_nano_usd,
        "channel_caps": json.dumps(dict(caps.channels)) if caps.channels else None,
        "decided_at": microseconds(organization.decided_at),
    }


def _from_row(row: dict[str, Any]) -> Organization:
    return Organization(
        number=row["organization_id"],
        organization_id=row["public_id"],
        name=row["name"],
        schedule=_schedule(row["schedule"]),
        starts_at=instant_of(row["starts_at"]),
        created_at=instant_of(row["created_at"]),
        caps=Caps(
            messages=row["message_cap"],
            budget_nano_usd=row["budget_cap_nano_usd"],
            channels=json.loads(row["channel_caps"]) if row["channel_caps"] else {},
            enforcement=row["enforcement"],
        ),
        cursor_key=bytes.fromhex(row["cursor_key"]),
        decided_at=instant_of(row["decided_at"]),
    )


def _schedule_text(schedule: Schedule) -> str:
    """Write a schedule as a list of starts, days and time zones; the first anchor has no start."""
    changes = [[microseconds(starts_at), anchor.day, anchor.time_zone] for starts_at, anchor in schedule.changes]
    return json.dumps([[None, schedule.first.day, schedule.first.time_zone], *changes])


@lru_cache(maxsize=1024)
def _schedule(text: str) -> Schedule:
    (_, day, time_zone), *changes = json.loads(text)
    counting = tuple((instant_of(start), Anchor(day, time_zone)) for start, day, time_zone in changes)
    return Schedule(Anchor(day, time_zone), counting)
