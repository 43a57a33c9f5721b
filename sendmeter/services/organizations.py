"""Organizations: made and listed by the operator."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor, cycle_containing
from sendmeter.domain.ids import new_id, organization_number
from sendmeter.domain.keys import SCOPES
from sendmeter.domain.organizations import Organization
from sendmeter.errors import NotFound
from sendmeter.services import keys
from sendmeter.store import Store, organizations

FIRST_KEY_SCOPES = tuple(scope for scope in SCOPES if scope != "operator")


@dataclass(frozen=True, slots=True)
class Founded:
    """A new organization, its first account, and the token of its first key, which is shown this once."""

    organization: Organization
    account_id: str
    token: str


def create(
    store: Store, name: str, anchor: Anchor, caps: Caps, now: datetime, *, starts_at: datetime | None = None
) -> Founded:
    """Make an organization with an account and a first key, which has all scopes but `operator`.

    Nothing that was sent before `starts_at` is counted; by default that is the start of the running cycle.
    """

    def work() -> Founded:
        while True:
            organization_id = new_id("org", now, secrets.token_bytes(10))
            organization = Organization(
                number=organization_number(organization_id) or 0,
                organization_id=organization_id,
                name=name,
                anchor=anchor,
                starts_at=starts_at or cycle_containing(anchor, now).start,
                created_at=now,
                caps=caps,
            )
            account_id = new_id("acc", now, secrets.token_bytes(10))
            if organizations.insert(store, organization, account_id):
                break
        created = keys.add(store, organization.number, account_id, "first key", FIRST_KEY_SCOPES, now)
        return Founded(organization, account_id, created.token)

    return store.write(work)


def get(store: Store, organization_id: str) -> Organization:
    """Find an organization by its id.

    Raises NotFound where there is none.
    """
    found = store.read(lambda: organizations.by_id(store, organization_id))
    if found is None:
        raise NotFound(
            f"There is no organization {organization_id!r}.",
            fix='List the organizations with "sendmeter organizations list".',
        )
    return found


def search(store: Store) -> list[Organization]:
    """List all organizations, oldest first."""
    return store.read(lambda: organizations.everyone(store))
