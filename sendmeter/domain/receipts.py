"""Receipts: what a provider tells of one message."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider told of one message, known by the provider's own id.

    `cost_nano_usd` is None where the provider did not tell it (yet). Of two receipts that tell a cost, the one that was
    told later counts: receipts arrive in any order, and again. `sent_at` is when the message was sent, None where that
    is not told; `was_sent` says that it was, so that it may be recorded. `quantity` counts its recipients.
    """

    message_id: str
    channel: str
    told_at: datetime
    cost_nano_usd: int | None = None
    was_sent: bool = True
    quantity: int = 1
    sent_at: datetime | None = None
