"""Events: what the contract accepts is read within its bounds, and a CloudEvent as the same event of ours."""

import json
import re
from datetime import timedelta
from decimal import Decimal

from sendmeter.contract import contract
from sendmeter.domain.channels import COSTED_CHANNELS
from sendmeter.domain.events import BATCH_LIMIT, read_batch
from sendmeter.domain.instants import microseconds
from sendmeter.errors import InvalidRequest
from sendmeter.web.body import read_json
from tests.proof.parsers.amounts import numeric, plain
from tests.proof.parsers.drawn import Drawn, altered, as_json
from tests.proof.parsers.times import reckoned

BODIES = contract().operations["events.record"].bodies
OURS, CLOUD, CLOUDS = "application/json", "application/cloudevents+json", "application/cloudevents-batch+json"
SMS = {
    "id": "msg-1", "source": "gateway", "channel": "SMS", "quantity": 2, "cost": "0.0109", "provider": "telnyx",
    "providerMessageId": "40385f64", "occurredAt": "2026-11-20T11:59:00.5+05:30", "metadata": {"country": "DE"},
}  # fmt: skip
EMAIL = {"id": "msg-2", "channel": "EMAIL"}
DATA = {name: value for name, value in SMS.items() if name not in ("id", "source")}
SMS_CLOUD = {
    "specversion": "1.0", "id": "1", "source": "/mail", "type": "sent", "time": "2026-11-20T12:00:00Z", "data": DATA,
    "datacontenttype": "application/json", "subject": "x", "events": 7,
}  # fmt: skip
EMAIL_CLOUD = {"specversion": "1.0", "id": "2", "source": "x", "type": "sent", "data": {"channel": "EMAIL"}}
SENT = {OURS: {"events": [SMS, EMAIL]}, CLOUD: SMS_CLOUD, CLOUDS: [SMS_CLOUD, EMAIL_CLOUD]}
KINDS = (OURS, CLOUD, CLOUDS)
SEEDS = [bytes([kind]) + as_json(SENT[KINDS[kind]]) for kind in range(3)] + [bytes([3 + kind]) for kind in range(3)]
OPTIONS = [
    *SMS, *SMS_CLOUD, "events", "1.0", "CALL", "EMAIL", "api", 1, 1_000_000, 0, "0.0000000001", "999999.999999999",
    "9999-12-31T23:59:59.999999999Z", "0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "2026-11-20T12:00:00Z", "x\n",
    "é", 1e-9, 1.5, 0.000000001, 123456.123456789, "x" * 129, SMS, EMAIL, SMS_CLOUD, EMAIL_CLOUD, DATA, True, None,
]  # fmt: skip
TOKENS = [option for option in OPTIONS if isinstance(option, str)] + ['"metadata":', '"cost":', '"data":', "1e-9"]


def check(data):
    drawn = Drawn(data)
    kind = drawn.number(6)
    media_type = KINDS[kind % 3]
    body = drawn.rest() if kind < 3 else _made(SENT[media_type], drawn)
    try:
        value = read_json(body)
    except InvalidRequest:
        return
    faults = BODIES[media_type].faults(value)
    assert len(faults) <= 100
    assert all(fault.message and len(fault.message) <= 500 and len(fault.pointer) <= 500 for fault in faults)
    assert BODIES[media_type].accepts(value) == (not faults)
    if not faults:
        _check_batch(media_type, value)


def _made(value, drawn):
    for _ in range(drawn.number(4) + 1):
        value = altered(value, drawn, OPTIONS)
    return as_json(value)


def _check_batch(media_type, value):
    batch = read_batch(media_type, value)
    assert 1 <= len(batch) <= BATCH_LIMIT
    same = {"events": [_as_ours(media_type, _at(value, pointer)) for pointer, _ in batch]}
    assert BODIES[OURS].faults(same) == []
    assert [event for _, event in read_batch(OURS, same)] == [event for _, event in batch]
    clouds = [_as_cloud(event) for event in same["events"]]
    assert BODIES[CLOUDS].faults(clouds) == []
    assert [event for _, event in read_batch(CLOUDS, clouds)] == [event for _, event in batch]
    for sent, (_, event) in zip(same["events"], batch, strict=True):
        _check_event(sent, event)


def _at(value, pointer):
    for step in pointer.split("/")[1:]:
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def _as_ours(media_type, sent):
    """Write a CloudEvent as an event of ours: `data` has the last word, but not about who it is."""
    if media_type == OURS:
        return sent
    time = {"occurredAt": sent["time"]} if "time" in sent else {}
    return time | sent["data"] | {"id": sent["id"], "source": sent["source"]}


def _as_cloud(sent):
    data = {name: value for name, value in sent.items() if name not in ("id", "source")}
    return {"specversion": "1.0", "type": "t", "id": sent["id"], "source": sent.get("source", "api"), "data": data}


def _check_event(sent, event):
    assert re.fullmatch(r"[A-Za-z0-9._:~-]{1,128}", event.event_id)
    assert re.fullmatch(r"[!-~]{1,128}", event.source)
    assert event.key == (sent.get("source", "api"), sent["id"])
    assert (event.channel, event.quantity) == (sent["channel"], sent.get("quantity", 1))
    assert type(event.quantity) is int
    assert 1 <= event.quantity <= 1_000_000
    cost = sent.get("cost")
    assert event.cost_nano_usd == (plain(cost) if isinstance(cost, str) else None if cost is None else _exact(cost))
    assert event.cost_nano_usd is None or (0 <= event.cost_nano_usd < 10**15 and event.channel in COSTED_CHANNELS)
    assert event.provider is None or re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", event.provider)
    assert event.provider_message_id is None or re.fullmatch(r"[!-~]{1,128}", event.provider_message_id)
    if event.occurred_at is not None:
        assert event.occurred_at.utcoffset() == timedelta(0)
        assert microseconds(event.occurred_at) == reckoned(sent["occurredAt"])
    assert len(event.metadata) <= 20
    for name, text in event.metadata.items():
        assert len(name) <= 256
        assert re.fullmatch(r"[^\x00-\x1f\x7f]{0,256}", text)
    assert event.differences(event) == []
    assert event.counter.quantity == event.quantity
    assert json.dumps(dict(event.metadata))


def _exact(cost):
    return numeric(Decimal(cost))
