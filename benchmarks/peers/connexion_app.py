"""Connexion as it comes: its own middlewares, requests and answers validated, over our contract's `GET` of usage."""

import base64
import hashlib
import os
import sqlite3
import threading
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import connexion
    from connexion.resolver import Resolver

CONTRACT = Path(__file__).parent.parent.parent / "openapi.yaml"
PATH = os.environ["BENCHMARK_DATABASE"].removeprefix("sqlite:///")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHANNELS = ("EMAIL", "INAPP_WEB", "WEB_PUSH", "PUSH", "SLACK", "SMS", "CALL")
of_thread = threading.local()


def key_of(token):
    """Look the key up by its hash; connexion calls this for each request."""
    number = int.from_bytes(base64.urlsafe_b64decode(token.removeprefix("sendmeter_sk_") + "==")[:8])
    key_hash = hashlib.sha256(token.encode()).hexdigest()
    statement = "SELECT scopes, expires_at, revoked_at FROM api_keys WHERE organization_id = ? AND key_hash = ?"
    row = _database().execute(statement, (number, key_hash)).fetchone()
    if row is None or row[2] is not None or (row[1] or 1 << 63) <= _now():
        return None
    return {"sub": number, "scope": row[0]}


def usage(user, costs="complete"):  # noqa: ARG001 - the contract's parameter
    """Return the usage of the running cycle."""
    database = _database()
    statement = "SELECT name, enforcement, message_cap FROM organizations WHERE organization_id = ?"
    _, enforcement, cap = database.execute(statement, (user,)).fetchone()
    statement = (
        "SELECT starts_at, ends_at FROM cycles WHERE organization_id = ? AND starts_at <= ?"
        " ORDER BY starts_at DESC LIMIT 1"
    )
    start, end = database.execute(statement, (user, _now())).fetchone()
    statement = (
        "SELECT channel, quantity, cost_nano_usd, pending FROM cycle_counters"
        " WHERE organization_id = ? AND cycle_starts_at = ?"
    )
    counters = {row[0]: row[1:] for row in database.execute(statement, (user, start))}
    sent = {channel: counters.get(channel, (0, 0, 0))[0] for channel in CHANNELS}
    sms, call = (counters.get(channel, (0, 0, 0))[1] for channel in ("SMS", "CALL"))
    messages = sum(sent[channel] for channel in CHANNELS[:5])
    if enforcement == "lock" and messages >= (cap or 1 << 63):
        return {"error": "The cap is reached."}, 402
    answer = {
        "messageUsage": messages,
        "budgetUsage": (sms + call) / 1e9,
        "costSms": sms / 1e9,
        "costCall": call / 1e9,
        "channelUsages": sent,
        "pendingCosts": sum(pending for _, _, pending in counters.values()),
        "billingCycleStart": _text(start),
        "billingCycleEnd": _text(end),
    }
    return answer, 200, {"X-Tracking-Id": "trk_06dbn3k9vtfo5c9m4q2h8s1a7e"}


def _contract():
    """Return the contract with the one operation: connexion would want functions for all others, too."""
    whole = yaml.load(CONTRACT.read_text(), yaml.CSafeLoader)
    path = whole["paths"]["/organization/usage"]
    for answer in path["get"]["responses"].values():
        answer.pop("links", None)
    whole["paths"] = {"/organization/usage": {"get": path["get"]}}
    whole["servers"] = [{"url": "/"}]
    whole["components"].pop("links", None)
    for answer in whole["components"].get("responses", {}).values():
        answer.pop("links", None)
    whole["components"]["securitySchemes"]["apiKey"]["x-bearerInfoFunc"] = f"{__name__}.key_of"
    return whole


def _database():
    """Return this thread's connection, set as Sendmeter sets its own."""
    if not hasattr(of_thread, "connection"):
        of_thread.connection = sqlite3.connect(PATH, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536", "foreign_keys = ON"):
            of_thread.connection.execute(f"PRAGMA {pragma}")
    return of_thread.connection


def _now():
    return (datetime.now(UTC) - EPOCH) // timedelta(microseconds=1)


def _text(microseconds):
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")


app = connexion.FlaskApp(__name__)
app.add_api(_contract(), resolver=Resolver(lambda _: usage), validate_responses=True, strict_validation=True)
