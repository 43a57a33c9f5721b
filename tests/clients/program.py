"""Asks a running server through the generated client, and prints what came. mypy checks it before it is run."""

import datetime
import json
import sys
from decimal import Decimal
from typing import TypeVar

from sendmeter_client import AuthenticatedClient
from sendmeter_client.api.events import events_record
from sendmeter_client.api.holds import holds_place, holds_settle
from sendmeter_client.api.usage import usage_get, usage_history
from sendmeter_client.models import (
    CloudEvent,
    CostedEvent,
    CostedHoldRequest,
    ErrorResponse,
    EventBatch,
    HoldSettlement,
    MessageData,
    MessageEvent,
)

Answer = TypeVar("Answer")


def must(answer: Answer | ErrorResponse | None) -> Answer:
    if answer is None or isinstance(answer, ErrorResponse):
        raise SystemExit(str(answer))
    return answer


def main(url: str, key: str) -> None:
    batch = EventBatch([MessageEvent("mail", "EMAIL", quantity=2), CostedEvent("sms", "SMS", cost="999999.999999999")])
    clouds = [CloudEvent("1.0", f"ce-{number}", "shop", "sent", MessageData("PUSH")) for number in range(3)]
    hold = CostedHoldRequest("campaign", "SMS", quantity=3, estimated_cost="0.05")
    first, last = datetime.date(2026, 11, 1), datetime.date(2026, 11, 30)
    with AuthenticatedClient(url, key, raise_on_unexpected_status=True) as client:
        recorded = [must(events_record.sync(client=client, body=body)) for body in (batch, clouds[0], clouds[1:])]
        usage = must(usage_get.sync(client=client))
        held = must(holds_place.sync(client=client, body=hold))
        settled = must(holds_settle.sync("campaign", client=client, body=HoldSettlement(cost="0.04")))
        text = usage_get.sync_detailed(client=client).content
        history = must(usage_history.sync(client=client, start_date=first, end_date=last, group_by="day"))
    told = {
        "accepted": [each.accepted for each in recorded],
        "outcomes": [event.outcome for event in recorded[0].events],
        "states": [held.state, settled.state],
        "event": settled.event.id if settled.event else None,
        "messages": usage.message_usage,
        "sms": usage.channel_usages.sms,
        "budget": str(Decimal(str(usage.budget_usage))),
        "exact": str(json.loads(text, parse_float=Decimal)["budgetUsage"]),
        "days": len(history.items),
        "today": max(day.period_start for day in history.items if day.message_usage).isoformat(),
    }
    sys.stdout.write(json.dumps(told))


def misused(client: AuthenticatedClient) -> None:
    """What mypy refuses: each line would be an error, and one that is none is reported as an ignore in vain."""
    answer = usage_get.sync(client=client)
    print(answer.message_usage)  # type: ignore[union-attr] # noqa: T201 - it may be an error
    print(must(answer).message_usages)  # type: ignore[attr-defined] # noqa: T201
    usage_get.sync(client=client, costs="some")  # type: ignore[arg-type]
    usage_history.sync(client=client)  # type: ignore[call-arg]
    MessageEvent("mail", "SMS")  # type: ignore[arg-type]
    MessageEvent("mail", "EMAIL", cost="1")  # type: ignore[call-arg]
    events_record.sync(client=client)  # type: ignore[call-arg]
    if isinstance(answer, ErrorResponse) and answer.error.code == "limit_exceeded":  # type: ignore[comparison-overlap]
        raise SystemExit


if __name__ == "__main__":
    main(*sys.argv[1:])
