"""Realistic traffic: busy days and quiet nights, for the demo and the mock."""

import math
import random
from collections.abc import Iterator
from datetime import datetime

from sendmeter.domain.events import UsageEvent

# How often a channel is used, and in nano-USD what one SMS or one minute of a call costs, by country.
CHANNELS = {"EMAIL": 52, "INAPP_WEB": 16, "PUSH": 13, "SMS": 10, "WEB_PUSH": 5, "SLACK": 2, "CALL": 2}
SMS_PRICES = {"US": 10_900_000, "GB": 46_300_000, "DE": 99_425_000, "FR": 80_037_500, "IN": 83_200_000}
CALL_PRICES = {"US": 14_000_000, "GB": 15_800_000, "DE": 18_700_000}


def traffic(start: datetime, end: datetime, count: int, *, source: str, seed: int = 20_261_123) -> Iterator[UsageEvent]:
    """Make events within `[start, end)`.

    For the same seed they are of the same channels and cost the same, whenever that is: only their times differ.
    """
    chance, times = random.Random(seed), random.Random(seed)  # noqa: S311 - not a secret
    channels, weights = list(CHANNELS), list(CHANNELS.values())
    for index in range(count):
        channel = chance.choices(channels, weights)[0]
        country = prices = cost = None
        if channel in ("SMS", "CALL"):
            prices = SMS_PRICES if channel == "SMS" else CALL_PRICES
            country = chance.choice(list(prices))
            units = chance.choices([1, 2, 3], [8, 2, 1])[0] if channel == "SMS" else chance.randint(1, 12)
            cost = prices[country] * units
        yield UsageEvent(
            source=source,
            event_id=f"{source}-{index:07d}",
            channel=channel,
            quantity=chance.choices([1, 2, 25], [90, 8, 2])[0] if channel == "EMAIL" else 1,
            cost_nano_usd=cost,
            provider={"EMAIL": "ses", "SMS": chance.choice(["telnyx", "twilio"]), "CALL": "telnyx"}.get(channel),
            provider_message_id=None,
            occurred_at=_moment(times, start, end),
            metadata={"country": country} if country else {},
        )


def _moment(chance: random.Random, start: datetime, end: datetime) -> datetime:
    """Pick a time, by day rather than by night."""
    while True:
        moment = start + (end - start) * chance.random()
        hour = moment.hour + moment.minute / 60
        if chance.random() < 0.15 + 0.85 * max(0.0, math.sin((hour - 6) / 12 * math.pi)):
            return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
