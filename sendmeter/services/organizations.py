"""Organizations: made, listed and changed by the operator."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sendmeter.domain.caps import Caps
from sendmeter.domain.cursors import Page, page_of
from sendmeter.domain.cycles import Anchor, Schedule, cycle_containing
from sendmeter.domain.ids import new_id, organization_number
from sendmeter.domain.instants import instant_text
from sendmeter.domain.keys import SCOPES
from sendmeter.domain.organizations import Organization, refused_start
from sendmeter.errors import Fault, InvalidRequest, NotFound
from sendmeter.services import audit, keys
from sendmeter.services.cycles import reanchored
from sendmeter.services.paging import start_of
from sendmeter.store import Store, organizations

FIRST_KEY_SCOPES = tuple(scope for scope in SCOPES if scope != "operator")


@dataclass(frozen=True, slots=True)
class Founded:
    """A new organization, its first account, and the token of its first key, which is shown this once."""

    organization: Organization
    account_id: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed of an organization; what is None stays as it is."""

    name: str | None = None
    anchor_day: int | None = None
    time_zone: str | None = None
    caps: Caps | None = None


def create(
    store: Store, name: str, anchor: Anchor, caps: Caps, now: datetime, *, by: str, starts_at: datetime | None = None
) -> Founded:
    """Make an organization with an account and a first key, which has all scopes but `operator`.

    Nothing that was sent before `starts_at` is counted; by default that is the start of the running cycle. Raises
    InvalidRequest where it is in the future or before 2000.
    """
    if starts_at is not None and (refused := refused_start(starts_at, now)):
        raise InvalidRequest.of([Fault("/startsAt", refused)])

    made: list[Founded] = []

    def work() -> Founded:
        # Run again after a commit in doubt, it knows what it made.
        if made and organizations.by_id(store, made[-1].organization.organization_id) is not None:
            return made[-1]
        while True:
            organization_id = new_id("org", now, secrets.token_bytes(10))
            organization = Organization(
                number=organization_number(organization_id) or 0,
                organization_id=organization_id,
                name=name,
                schedule=Schedule(anchor),
                starts_at=starts_at or cycle_containing(anchor, now).start,
                created_at=now,
                caps=caps,
                cursor_key=secrets.token_bytes(32),
            )
            account_id = new_id("acc", now, secrets.token_bytes(10))
            if organizations.insert(store, organization, account_id):
                break
        told = _audit_details(organization) | _limit_details(organization)
        audit.add(store, organization.number, "organization.created", told, by=by, now=now)
        created = keys.add(store, organization.number, account_id, "first key", FIRST_KEY_SCOPES, now, by=by)
        made.append(Founded(organization, account_id, created.token))
        return made[-1]

    return store.write(work)


def change(store: Store, organization_id: str, wanted: Change, now: datetime, *, by: str) -> Organization:
    """Change an organization. A new anchor counts from the end of the running cycle on; caps count at once.

    Raises NotFound if there is none.
    """
    number = get(store, organization_id).number

    def work() -> Organization:
        before = organizations.lock(store, number)
        after = replace(
            before,
            name=before.name if wanted.name is None else wanted.name,
            schedule=_rescheduled(store, before, wanted, now),
            caps=before.caps if wanted.caps is None else wanted.caps,
        )
        return save(store, before, after, by=by, now=now)

    return store.write(work)


def get(store: Store, organization_id: str) -> Organization:
    """Find an organization by its id.

    Raises NotFound if there is none.
    """
    found = store.read(lambda: organizations.by_id(store, organization_id))
    if found is None:
        raise NotFound(
            f"There is no organization {organization_id!r}.",
            fix='List the organizations with "sendmeter organizations list".',
        )
    return found


def everyone(store: Store) -> list[Organization]:
    """List all organizations, oldest first."""
    return store.read(lambda: organizations.everyone(store))


def search(store: Store, caller_number: int, cursor: str | None, limit: int) -> Page[Organization]:
    """List all organizations page by page, oldest first, for an operator; the cursor is of the operator's organization.

    Raises InvalidRequest if the cursor is none.
    """
    listing = ("organizations.search",)

    def work() -> Page[Organization]:
        operator = organizations.by_number(store, caller_number)
        start = start_of(operator, listing, cursor)
        found = organizations.everyone(store, after=int(start[0]) if start else 0, limit=limit + 1)
        return page_of(operator.cursor_key, listing, found, limit, lambda each: [each.number])

    return store.read(work)


def save(store: Store, before: Organization, after: Organization, *, by: str, now: datetime) -> Organization:
    """Store what changed of a locked organization, and note in the audit log what was before and what is after."""
    if after.caps != before.caps:
        _note(store, "limits.changed", before, after, _limit_details, by=by, now=now)
    if (after.name, after.schedule) != (before.name, before.schedule):
        _note(store, "organization.changed", before, after, _audit_details, by=by, now=now)
    if after != before:
        organizations.update(store, after)
    return after


def _rescheduled(store: Store, organization: Organization, wanted: Change, now: datetime) -> Schedule:
    if wanted.anchor_day is None and wanted.time_zone is None:
        return organization.schedule
    last = organization.schedule.last
    anchor = Anchor(wanted.anchor_day or last.day, wanted.time_zone or last.time_zone)
    return reanchored(store, organization, anchor, now)


def _note(
    store: Store,
    action: str,
    before: Organization,
    after: Organization,
    told: Callable[[Organization], dict[str, Any]],
    *,
    by: str,
    now: datetime,
) -> None:
    details = {"before": told(before), "after": told(after)}
    audit.add(store, after.number, action, details, by=by, now=now)


def _audit_details(organization: Organization) -> dict[str, Any]:
    first, changes = organization.schedule.first, organization.schedule.changes
    anchors = [str(first), *(f"{anchor}, from {instant_text(starts_at)}" for starts_at, anchor in changes)]
    return {"name": organization.name, "anchors": anchors}


def _limit_details(organization: Organization) -> dict[str, Any]:
    return organization.caps.to_json()
