"""Providers: who delivers messages and tells what they cost, and an organization's connection to one."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sendmeter.domain.instants import instant_text

PROVIDERS: Final = ("telnyx", "twilio", "ses")
ENDPOINT_SECRET_BYTES = 16
_ENDPOINT = re.compile(r"ep_[0-9a-v]{39}")
_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=15)
_LONGEST_ASKED_FOR = timedelta(hours=1)
# How long after a price was asked for in vain it is asked for again. Twilio takes up to 24 hours.
_PRICE_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (2, 5, 15, 30, 60, 120, 240, 480))
LONGEST_WAIT = max(_PRICE_PAUSES)
"""Nothing is put off for longer, unless by a clock that was ahead."""
FIRST_QUESTION = timedelta(minutes=1)
"""How long after a message was recorded its price is asked for first."""
MOST_QUESTIONS = 60
"""How often a price is asked for in vain, over nearly three weeks, before it is given up."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong with a provider: its own code, or ours where it gave none, and what happened in our words."""

    code: str
    message: str
    at: datetime

    def to_json(self) -> dict[str, Any]:
        """Write the contract's `ProviderTrouble`."""
        return {"code": self.code, "message": self.message, "at": instant_text(self.at)}


@dataclass(frozen=True, slots=True)
class Health:
    """How a provider's prices arrive.

    `failures` counts failed questions in a row, since `failing_since`; `poll_at` is when a price may be asked for next.
    """

    poll_at: datetime
    failing_since: datetime | None = None
    failures: int = 0
    last_trouble: Trouble | None = None
    last_answer_at: datetime | None = None
    last_receipt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """An organization's connection to a provider; it has one at most to each.

    `settings` are shown, `sealed_secrets` are encrypted; both have the names of the contract. With `records` what the
    provider tells of is recorded, else it only settles the costs of what senders recorded.
    """

    organization_number: int
    provider: str
    endpoint_id: str
    records: bool
    settings: Mapping[str, str]
    sealed_secrets: str | None = field(repr=False)
    polls: bool
    created_at: datetime
    health: Health


def endpoint_id_of(organization_number: int, secret: bytes) -> str:
    """Write the id under which a provider reports: the organization's number, which finds it, and what none guesses."""
    raw = organization_number.to_bytes(8) + secret
    return "ep_" + base64.b32hexencode(raw).decode().rstrip("=").lower()


def read_endpoint_id(endpoint_id: str) -> int | None:
    """Return the number of the organization that an endpoint's id names; None where it is no such id."""
    if not _ENDPOINT.fullmatch(endpoint_id):
        return None
    try:
        raw = base64.b32hexdecode(endpoint_id[3:].upper() + "=")
    except binascii.Error:  # pragma: no cover - the pattern leaves nothing that base 32 refuses
        return None
    number = int.from_bytes(raw[:8])
    return number if number < 2**63 else None


def endpoint_url(public_url: str, provider: str, endpoint_id: str) -> str:
    """Write the URL to give to the provider, which it reports to, and which Twilio signs."""
    return f"{public_url.rstrip('/')}/organization/providers/{provider}/events/{endpoint_id}"


def pause_after(failures: int, retry_after: timedelta | None, jitter: float) -> timedelta:
    """Return how long a provider is left alone after so many failures in a row.

    Twice as long each time, up to a quarter of an hour, shortened at random to no less than half (`jitter` is in
    [0, 1)), so that not all ask again at once. What the provider asks for (Retry-After, at most an hour) is kept to.
    """
    pause = min(_FIRST_PAUSE * (1 << min(failures - 1, 20)), _LONGEST_PAUSE) * (1 - jitter / 2)
    return max(pause, min(retry_after or pause, _LONGEST_ASKED_FOR))


def next_question(asked: int) -> timedelta | None:
    """Return how long after the question of that number (from 1) a price that is not there yet is asked for again.

    None where it is given up.
    """
    return None if asked >= MOST_QUESTIONS else _PRICE_PAUSES[min(asked, len(_PRICE_PAUSES)) - 1]
