"""Twilio: signed status callbacks of SMS and calls, and the API that tells prices, up to a day later.

Sources: twilio.com/docs, "Webhooks security", "Message resource" and "Call resource"; its own Python library's
RequestValidator. A signature has no time in it, so there is no window for replays: one changes nothing, as a receipt
that is taken twice is taken once, and costs are told by the API alone.
"""

import base64
import email.utils
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote

from sendmeter.domain.receipts import Receipt
from sendmeter.errors import Unauthorized
from sendmeter.integrations import api_responses, costs, payloads
from sendmeter.integrations.delivery import Delivery
from sendmeter.integrations.errors import MessageTrouble
from sendmeter.integrations.http_client import Outgoing

_HOSTS: Final = frozenset({"api.twilio.com"})
_API = "https://api.twilio.com/2010-04-01/Accounts"
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 200
_RESOURCES: Final = {"SMS": "Messages", "CALL": "Calls"}
IDS: Final[Mapping[str, re.Pattern[str]]] = {
    "SMS": re.compile(r"(SM|MM)[0-9a-fA-F]{32}"),
    "CALL": re.compile(r"CA[0-9a-fA-F]{32}"),
}
_SENT: Final = {
    "SMS": {"sent", "delivered", "partially_delivered", "undelivered", "failed", "read"},
    "CALL": {"completed", "busy", "no-answer", "failed"},
}
_SUBJECTS: Final = ("CallSid", "CallStatus", "MessageSid", "MessageStatus", "SmsSid", "SmsStatus")
_COUNTED: Final = (*_SUBJECTS, "AccountSid", "Direction", "Timestamp")
_URL = re.compile(r"(?P<scheme>https?)://(?P<host>[^/:]+)(?P<port>:[0-9]+)?(?P<path>/.*)?")


def receive(delivery: Delivery, account: Mapping[str, str], now: datetime, outgoing: Outgoing) -> Receipt | None:  # noqa: ARG001 - every provider's signature
    """See `Provider.receive`. `account` has `accountSid` and `authToken`.

    A price that stands in a callback is left: callbacks of messages have no time, so that of two prices nobody could
    tell which is the later one. It is asked for.
    """
    signed = _signed(delivery)
    _verify(delivery, signed, account["authToken"])
    fields = _fields(delivery, signed)
    if fields.get("AccountSid", account["accountSid"]) != account["accountSid"]:
        raise _unauthorized("The callback is about another account than the accountSid that is set up.")
    return _receipt(fields, now)


def price(account: Mapping[str, str], channel: str, message_id: str, outgoing: Outgoing) -> int | None:
    """See `Provider.price`. `account` has `accountSid` and `authToken`."""
    if channel not in IDS or not IDS[channel].fullmatch(message_id):
        raise MessageTrouble("unknown_message", f"That is no id of Twilio's for {channel}.")
    url = f"{_API}/{quote(account['accountSid'], safe='')}/{_RESOURCES[channel]}/{message_id}.json"
    answer = outgoing.get(url, hosts=_HOSTS, auth=(account["accountSid"], account["authToken"]))
    told = api_responses.read(answer, "Twilio")
    if str(told.get("sid")).lower() != message_id.lower() or not isinstance(told.get("price", 0), str | None):
        raise api_responses.broken("Twilio")
    return _charge(told["price"], told.get("price_unit"))


def _signed(delivery: Delivery) -> list[tuple[str, str]]:
    """Take a form apart, whose fields are what is signed; a body of another kind is signed by its hash."""
    if delivery.media_type != _FORM:
        return []
    try:
        text = delivery.body.decode()
        return parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise _unauthorized("The body is not a form, so that nothing of it can be signed.") from None


def _verify(delivery: Delivery, signed: list[tuple[str, str]], token: str) -> None:
    given = delivery.headers.get("x-twilio-signature", "").encode()
    query = "" if delivery.body_sha256 is None else f"?bodySHA256={delivery.body_sha256}"
    # Each name and value once, in order, as Twilio's own validator has it.
    text = "".join(name + value for name, value in sorted(set(signed)))
    made = [_signature(token, url + query + text) for url in _urls(delivery.url)]
    if not any([hmac.compare_digest(each, given) for each in made]):  # noqa: C419 - each, whichever it is
        raise _unauthorized("The signature is missing or is not Twilio's.")
    if delivery.media_type != _FORM:
        _verify_hash(delivery)


def _verify_hash(delivery: Delivery) -> None:
    made = hashlib.sha256(delivery.body).hexdigest()
    if not hmac.compare_digest(made.encode(), (delivery.body_sha256 or "").encode()):
        raise _unauthorized("The body is no form, and is not what bodySHA256 in the URL tells.")


def _signature(token: str, text: str) -> bytes:
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), "sha1"))


def _urls(url: str) -> set[str]:
    """Write a URL as it is, with the port of its scheme and without a port: Twilio signs either."""
    found = _URL.fullmatch(url)
    if found is None:
        return {url}
    port = found["port"] or (":443" if found["scheme"] == "https" else ":80")
    return {url, *(f"{found['scheme']}://{found['host']}{each}{found['path'] or ''}" for each in (port, ""))}


def _unauthorized(message: str) -> Unauthorized:
    return Unauthorized(
        message,
        fix="Check that authToken and accountSid are those of the account that sends, that the callback's URL is "
        "exactly the endpointUrl shown here, and that nothing between changes the request.",
    )


def _fields(delivery: Delivery, signed: list[tuple[str, str]]) -> dict[str, str]:
    """Return the texts by name. Raises InvalidRequest if one that counts has two values."""
    if delivery.media_type != _FORM:
        document = payloads.read_signed(delivery.body)
        return {name: value for name, value in document.items() if isinstance(value, str)}
    fields = dict(signed)
    for name, value in signed:
        if name in _COUNTED and fields[name] != value:
            payloads.refuse(f"/{name}", "is given twice")
    return fields


def _receipt(fields: Mapping[str, str], now: datetime) -> Receipt | None:
    channel, id_name, status = _subject(fields)
    if fields.get("Direction") == "inbound" or status not in _SENT[channel]:
        return None
    told_at = _timestamp(fields, now)
    return Receipt(
        message_id=payloads.expect_message_id(fields, f"/{id_name}"),
        channel=channel,
        told_at=told_at or now,
        sent_at=told_at,
    )


def _subject(fields: Mapping[str, str]) -> tuple[str, str, str]:
    """Return the channel, the name of the field with the message's id, and the status."""
    if "CallSid" in fields:
        return "CALL", "CallSid", fields.get("CallStatus", "")
    id_name = "MessageSid" if "MessageSid" in fields else "SmsSid"
    return "SMS", id_name, fields.get("MessageStatus") or fields.get("SmsStatus", "")


def _timestamp(fields: Mapping[str, str], now: datetime) -> datetime | None:
    """Read the time that callbacks of calls have (RFC 2822); one that cannot be read is not worth losing a call for."""
    try:
        told = email.utils.parsedate_to_datetime(fields["Timestamp"])
        # A clock ahead of ours must not make this the last word for long.
        return min(told.replace(tzinfo=told.tzinfo or UTC).astimezone(UTC), now)
    except (KeyError, ValueError, OverflowError):
        return None


def _charge(told: str | None, unit: object) -> int | None:
    if told is None:
        return None
    costs.check_currency(unit)
    return costs.read_charge(told)
