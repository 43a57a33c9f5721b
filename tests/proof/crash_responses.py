"""What the server tells, read into what a journal has."""

import json
from decimal import Decimal

from tests.proof.crash_journal import Event, Hold


def usd(amount):
    return format(Decimal(amount).scaleb(-9), "f")


def nanos(value):
    return None if value is None else int(Decimal(value).scaleb(9))


def event_of(told):
    """Read an event as the server tells it."""
    corrections = tuple((each["kind"], nanos(each.get("cost"))) for each in told["corrections"])
    voided = told["state"] == "voided"
    return Event(told["channel"], told["quantity"], nanos(told.get("cost")), voided, corrections)


def hold_of(told):
    """Read a hold as the server tells it."""
    event = told.get("event")
    key = ("event", event["source"], event["id"]) if event else None
    return Hold(told["channel"], told["quantity"], nanos(told.get("estimatedCost")), told["state"], key)


def read(answer):
    return json.loads(answer.content, parse_float=Decimal, parse_int=int)
