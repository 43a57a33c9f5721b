"""Events as senders report them: seven channels, some with a cost, each with an id of its own."""

import json
import random
from datetime import UTC, datetime, timedelta

BATCH = 1000
SHAPES = [
    {"channel": "EMAIL"}, {"channel": "EMAIL"}, {"channel": "PUSH"}, {"channel": "INAPP_WEB"}, {"channel": "WEB_PUSH"},
    {"channel": "SLACK"}, {"channel": "SMS", "cost": "0.0079"}, {"channel": "CALL", "cost": "0.0235"},
]  # fmt: skip
COSTS = {"SMS": 7_900_000, "CALL": 23_500_000}


def events(count, *, seed, ordered=False):
    """Make so many events of the last minutes; another seed gives other ids.

    They are random, like a UUID; or `ordered`, like the number of a message: each sorts behind the one before.
    """
    chance = random.Random(seed)
    now = datetime.now(UTC).replace(microsecond=0)
    first = f"msg-{now:%Y%m%d%H%M%S}-{chance.getrandbits(32):08x}"
    for number in range(count):
        occurred_at = (now - timedelta(seconds=chance.randrange(120))).isoformat().replace("+00:00", "Z")
        event_id = f"{first}-{number:08d}" if ordered else f"{chance.getrandbits(96):024x}-{number:x}"
        yield {"id": event_id, **SHAPES[number % len(SHAPES)], "occurredAt": occurred_at}


def batches(count, *, seed, ordered=False):
    """Make so many bodies of a batch of events each, as bytes of JSON in one line."""
    found = list(events(count * BATCH, seed=seed, ordered=ordered))
    return [_json({"events": found[start : start + BATCH]}) for start in range(0, len(found), BATCH)]


def singles(count, *, seed):
    """Make so many bodies of one event each."""
    return [_json({"events": [event]}) for event in events(count, seed=seed)]


def holds(count, *, seed):
    """Make so many bodies that each ask for room for one email."""
    chance = random.Random(seed)
    return [_json({"id": f"h{chance.getrandbits(96):024x}", "channel": "EMAIL"}) for _ in range(count)]


def _json(value):
    return json.dumps(value, separators=(",", ":")).encode()
