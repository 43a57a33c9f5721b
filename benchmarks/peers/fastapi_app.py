"""FastAPI, SQLAlchemy and pydantic, as a practised developer would write the two operations that are measured.

It does less than Sendmeter does, which is in its favour: no events of other cycles, no comparison of what came twice,
no providers' messages, no body of errors, no tracking id.
"""

import base64
import hashlib
import json
import threading
from collections import defaultdict
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from benchmarks.peers.fastapi_models import CHANNELS, MESSAGES, EventBatch, OrganizationUsage, RecordedEvents
from benchmarks.peers.fastapi_tables import (
    IS_SQLITE,
    ApiKey,
    Cycle,
    CycleCounter,
    DayCounter,
    Event,
    Organization,
    new_session,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
insert = sqlite.insert if IS_SQLITE else postgresql.insert
# SQLite has one writer at a time: waiting for a lock of ours is quicker than SQLite's own waiting, which sleeps.
writing = threading.Lock() if IS_SQLITE else nullcontext()

KEY = select(ApiKey.organization_id, ApiKey.scopes, ApiKey.expires_at, ApiKey.revoked_at).where(
    ApiKey.organization_id == bindparam("number"), ApiKey.key_hash == bindparam("key_hash")
)
ORGANIZATION = select(Organization.name, Organization.enforcement, Organization.message_cap).where(
    Organization.organization_id == bindparam("number")
)
RUNNING = (
    select(Cycle.starts_at, Cycle.ends_at)
    .where(Cycle.organization_id == bindparam("number"), Cycle.starts_at <= bindparam("now"))
    .order_by(Cycle.starts_at.desc())
    .limit(1)
)
COUNTERS = select(CycleCounter.channel, CycleCounter.quantity, CycleCounter.cost_nano_usd, CycleCounter.pending).where(
    CycleCounter.organization_id == bindparam("number"), CycleCounter.cycle_starts_at == bindparam("start")
)
RECORD = insert(Event).on_conflict_do_nothing().returning(Event.source, Event.event_id)


def _adding(table):
    statement = insert(table)
    names = ("quantity", "cost_nano_usd", "pending", "estimated_nano_usd")
    added = {name: getattr(table, name) + statement.excluded[name] for name in names}
    return statement.on_conflict_do_update(index_elements=list(table.__table__.primary_key), set_=added)


ADD_TO_CYCLE, ADD_TO_DAY = _adding(CycleCounter), _adding(DayCounter)
app = FastAPI(title="The peer on FastAPI")
bearer = HTTPBearer()


def database():
    """Return a request its session."""
    with new_session() as session:
        yield session


Database = Annotated[Session, Depends(database)]


def caller(session: Database, credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]):
    """Look the key up by its hash."""
    token = credentials.credentials
    try:
        number = int.from_bytes(base64.urlsafe_b64decode(token.removeprefix("sendmeter_sk_") + "==")[:8])
    except ValueError:
        raise HTTPException(401, "The API key is not known.") from None
    key_hash = hashlib.sha256(token.encode()).hexdigest()
    key = session.execute(KEY, {"number": number, "key_hash": key_hash}).one_or_none()
    if key is None or key.revoked_at is not None or (key.expires_at or 1 << 63) <= _microseconds(datetime.now(UTC)):
        raise HTTPException(401, "The API key is not known.")
    return key


Caller = Annotated[object, Depends(caller)]


@app.get("/organization/usage", response_model=OrganizationUsage)
def usage(session: Database, key: Caller):
    number = key.organization_id
    organization = session.execute(ORGANIZATION, {"number": number}).one()
    cycle = _running(session, number, datetime.now(UTC))
    counters = {row.channel: row for row in session.execute(COUNTERS, {"number": number, "start": cycle.starts_at})}
    sent = {channel: counters[channel].quantity if channel in counters else 0 for channel in CHANNELS}
    cost = {channel: counters[channel].cost_nano_usd if channel in counters else 0 for channel in ("SMS", "CALL")}
    messages = sum(sent[channel] for channel in MESSAGES)
    if organization.enforcement == "lock" and messages >= (organization.message_cap or 1 << 63):
        raise HTTPException(402, "The cap is reached.")
    return {
        "messageUsage": messages,
        "budgetUsage": (cost["SMS"] + cost["CALL"]) / 1e9,
        "costSms": cost["SMS"] / 1e9,
        "costCall": cost["CALL"] / 1e9,
        "channelUsages": sent,
        "pendingCosts": sum(row.pending for row in counters.values()),
        "billingCycleStart": _text(cycle.starts_at),
        "billingCycleEnd": _text(cycle.ends_at),
    }


@app.post("/organization/usage/events", response_model=RecordedEvents)
def record(batch: EventBatch, session: Database, key: Caller):
    if "events:write" not in key.scopes.split():
        raise HTTPException(403, "The key may not write.")
    with writing:
        return _record(batch, session, key.organization_id)


def _record(batch, session, number):
    now = datetime.now(UTC)
    cycle = _running(session, number, now)
    rows, found = [], {}
    for event in batch.events:
        occurred_at = _microseconds(event.at(now))
        if not cycle.starts_at <= occurred_at < cycle.ends_at:
            raise HTTPException(400, "The peer records events of the running cycle alone.")
        found[event.source, event.id] = (event, occurred_at)
        rows.append({
            "organization_id": number, "source": event.source, "event_id": event.id, "channel": event.channel,
            "quantity": event.quantity, "cost_nano_usd": event.cost_nano_usd, "provider": event.provider,
            "provider_message_id": event.providerMessageId, "occurred_at": occurred_at,
            "recorded_at": _microseconds(now), "cycle_starts_at": cycle.starts_at, "late": False,
            "metadata": json.dumps(event.metadata) if event.metadata else None, "estimated_cost_nano_usd": None,
        })  # fmt: skip
    added = {tuple(row) for row in session.connection().execute(RECORD, rows)}
    cycles, days = defaultdict(lambda: [0, 0, 0]), defaultdict(lambda: [0, 0, 0])
    for each in added:
        event, occurred_at = found[each]
        amounts = event.quantity, event.cost_nano_usd or 0, event.channel in cost_of and event.cost_nano_usd is None
        for sums in (cycles[cycle.starts_at, event.channel], days[occurred_at // 86_400_000_000, event.channel]):
            sums[:] = (one + more for one, more in zip(sums, amounts, strict=True))
    if added:
        session.connection().execute(ADD_TO_CYCLE, _sums(number, "cycle_starts_at", cycles))
        session.connection().execute(ADD_TO_DAY, _sums(number, "day", days))
    session.commit()
    outcomes = []
    for event in batch.events:
        outcome = "accepted" if (event.source, event.id) in added else "duplicate"
        added.discard((event.source, event.id))
        outcomes.append({"id": event.id, "source": event.source, "outcome": outcome})
    accepted = sum(each["outcome"] == "accepted" for each in outcomes)
    return {"accepted": accepted, "duplicates": len(outcomes) - accepted, "late": 0, "events": outcomes}


cost_of = ("SMS", "CALL")


def _sums(number, period, sums):
    return [
        {"organization_id": number, period: start, "channel": channel, "quantity": quantity, "cost_nano_usd": cost,
         "pending": pending, "estimated_nano_usd": 0}
        for (start, channel), (quantity, cost, pending) in sorted(sums.items())
    ]  # fmt: skip


def _running(session, number, now):
    return session.execute(RUNNING, {"number": number, "now": _microseconds(now)}).one()


def _microseconds(instant):
    return (instant - EPOCH) // MICROSECOND


def _text(microseconds):
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")
