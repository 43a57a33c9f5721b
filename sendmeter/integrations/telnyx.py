"""Telnyx: signed events of SMS and calls, and the records in which prices are looked up.

Sources: developers.telnyx.com, "Receiving webhooks" and "Search detail records"; the types of its own Python library.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sendmeter.domain.receipts import Receipt
from sendmeter.errors import Unauthorized
from sendmeter.integrations import api_responses, costs, payloads
from sendmeter.integrations.delivery import Delivery
from sendmeter.integrations.errors import MessageTrouble
from sendmeter.integrations.http_client import Outgoing

TOLERANCE = timedelta(minutes=5)
"""How far the time in a signature may be from ours, both ways."""
_HOSTS: Final = frozenset({"api.telnyx.com"})
_API = "https://api.telnyx.com/v2"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
IDS: Final[Mapping[str, re.Pattern[str]]] = {"SMS": _UUID}
_SENT: Final = ("message.sent", "message.finalized")


def receive(delivery: Delivery, account: Mapping[str, str], now: datetime, outgoing: Outgoing) -> Receipt | None:  # noqa: ARG001 - every provider's signature
    """See `Provider.receive`. `account` has `publicKey`, as Telnyx's portal shows it."""
    _verify(delivery, account["publicKey"], now)
    event = payloads.read_signed(delivery.body)
    kind = payloads.expect(event, "/data/event_type", str)
    if kind in _SENT:
        return _of_message(event)
    return _of_call(event) if kind == "call.cost" else None


def price(account: Mapping[str, str], channel: str, message_id: str, outgoing: Outgoing) -> int | None:
    """See `Provider.price`. `account` has `apiKey`.

    An SMS has a detail record with `uuid`, and any attribute can be filtered by, says the API's documentation. Where
    there is no record (yet), the message itself is asked for, which its API keeps for ten days.

    The price of a call is not asked for: a call has costs in several records (call control, trunk, …), and which they
    are and how they name the leg is documented for WebRTC alone, so that a sum could lack one. `call.cost` tells it.
    """
    if not _UUID.fullmatch(message_id):
        raise MessageTrouble("unknown_message", "That is no id of Telnyx's, which are UUIDs.")
    if channel != "SMS":
        return None
    recorded = _of_records(account, message_id, outgoing)
    return _of_message_itself(account, message_id, outgoing) if recorded is None else recorded


def _verify(delivery: Delivery, public_key: str, now: datetime) -> None:
    told_at = delivery.headers.get("telnyx-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", told_at):
        raise _unauthorized("The header telnyx-timestamp is missing, or is no number of seconds.")
    signature = _decoded(delivery.headers.get("telnyx-signature-ed25519", ""), 64)
    if signature is None:
        raise _unauthorized("The header telnyx-signature-ed25519 is missing, or is no signature.")
    try:
        _key(public_key).verify(signature, f"{told_at}|".encode() + delivery.body)
    except InvalidSignature:
        raise _unauthorized("The signature is not Telnyx's.") from None
    if abs(int(told_at) - now.timestamp()) > TOLERANCE.total_seconds():
        raise _unauthorized("The signature is older than five minutes, or from the future.")


def _key(public_key: str) -> Ed25519PublicKey:
    raw = _decoded(public_key, 32)
    if raw is None:
        raise _unauthorized("The publicKey that is set up is no key of Telnyx's.")
    return Ed25519PublicKey.from_public_bytes(raw)


def _decoded(text: str, length: int) -> bytes | None:
    """Read base64 of that many bytes, written as base64 writes them and in no other way; None where it is none."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == length and base64.b64encode(raw).decode() == text else None


def _unauthorized(message: str) -> Unauthorized:
    return Unauthorized(
        message,
        fix="Check that publicKey is the one that Telnyx's portal shows under Keys & Credentials, that this server's "
        "clock is right, and that nothing between changes the request's body.",
    )


def _of_message(event: dict[str, Any]) -> Receipt | None:
    if payloads.at(event, "/data/payload/direction") != "outbound":
        return None
    told_at = payloads.expect_instant(event, "/data/occurred_at")
    is_dated = payloads.at(event, "/data/payload/sent_at") is not None
    recipients = payloads.at(event, "/data/payload/to")
    receipt = Receipt(
        message_id=payloads.expect_message_id(event, "/data/payload/id"),
        channel="SMS",
        told_at=told_at,
        quantity=len(payloads.expect(event, "/data/payload/to", list)) if recipients else 1,
        sent_at=payloads.expect_instant(event, "/data/payload/sent_at") if is_dated else told_at,
    )
    told = payloads.at(event, "/data/payload/cost")
    return costs.costing(receipt, lambda: _cost(told, "/data/payload/cost"))


def _cost(cost: Any, pointer: str) -> int | None:  # noqa: ANN401 - any JSON
    """Read `{amount, currency}`; None where it is null."""
    if cost is None:
        return None
    if not isinstance(cost, dict):
        payloads.refuse(pointer, "is not an object")
    if cost.get("amount") is None:
        return None
    costs.check_currency(cost.get("currency"))
    return costs.read_cost(cost["amount"])


def _of_call(event: dict[str, Any]) -> Receipt:
    """Read `call.cost`. It does not tell when the call was made, only that it is over."""
    receipt = Receipt(
        message_id=payloads.expect_message_id(event, "/data/payload/call_leg_id"),
        channel="CALL",
        told_at=payloads.expect_instant(event, "/data/occurred_at"),
    )
    is_known = payloads.at(event, "/data/payload/status") == "success"
    return costs.costing(receipt, lambda: _total(event) if is_known else None)


def _total(event: dict[str, Any]) -> int | None:
    """Read the cost of a call; its currency is told with its parts, if they are."""
    parts = payloads.at(event, "/data/payload/cost_parts")
    for part in payloads.expect(event, "/data/payload/cost_parts", list) if parts else []:
        currency = payloads.at(part, "/currency")
        if currency is not None:
            costs.check_currency(currency)
    total = payloads.at(event, "/data/payload/total_cost")
    return None if total is None else costs.read_cost(total)


def _ask(account: Mapping[str, str], path: str, outgoing: Outgoing) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {account['apiKey']}"}
    return api_responses.read(outgoing.get(_API + path, hosts=_HOSTS, headers=headers), "Telnyx")


def _of_records(account: Mapping[str, str], message_id: str, outgoing: Outgoing) -> int | None:
    """Sum what the message's detail records cost; None where there is none, or one has no cost yet."""
    path = f"/detail_records?filter%5Brecord_type%5D=messaging&filter%5Buuid%5D={message_id}"
    records = _ask(account, path, outgoing).get("data")
    if not isinstance(records, list):
        raise api_responses.broken("Telnyx")
    # Whatever the filter did: a record of another message is not this one's price.
    ours = [each for each in records if _names(payloads.at(each, "/uuid"), message_id)]
    if not ours or any(each.get("cost") is None for each in ours):
        return None
    for record in ours:
        costs.check_currency(record.get("currency"))
    return costs.check_bound(sum(costs.read_cost(record["cost"]) for record in ours))


def _of_message_itself(account: Mapping[str, str], message_id: str, outgoing: Outgoing) -> int | None:
    message = _ask(account, f"/messages/{message_id}", outgoing).get("data")
    if not isinstance(message, dict) or not _names(message.get("id"), message_id):
        raise api_responses.broken("Telnyx")
    cost = message.get("cost")
    if cost is not None and not isinstance(cost, dict):
        raise api_responses.broken("Telnyx")
    return _cost(cost, "")


def _names(told: object, message_id: str) -> bool:
    return isinstance(told, str) and told.lower() == message_id.lower()
