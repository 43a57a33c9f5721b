"""Amazon SES, which tells of emails through Amazon SNS: signed notifications, and no prices.

Sources: docs.aws.amazon.com, "Verifying the signatures of Amazon SNS messages" and "Contents of event data that Amazon
SES publishes to Amazon SNS".
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from sendmeter import strict_json
from sendmeter.domain.instants import read_instant
from sendmeter.domain.receipts import Receipt
from sendmeter.errors import InvalidRequest, Unauthorized
from sendmeter.integrations import api_responses, certificates, payloads
from sendmeter.integrations.delivery import Delivery
from sendmeter.integrations.http_client import Outgoing

OLDEST = timedelta(hours=1, minutes=5)
"""How old a delivery may be: SNS tries again for 3,600 seconds at the most, which it calls a hard limit."""
TOLERANCE = timedelta(minutes=5)
"""How far a delivery may be ahead of our clock."""
IDS: Final[Mapping[str, re.Pattern[str]]] = {}
_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Final = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
# SHA-1 is what SNS signs with unless a topic is set to version 2; that it is weak to collisions helps no forger here,
# who would have to have Amazon sign one of the two.
_HASHES: Final[Mapping[str, HashAlgorithm]] = {"1": SHA1(), "2": SHA256()}  # noqa: S303 - told above
_TOPIC = re.compile(r"arn:(?P<partition>aws[-a-z]*):sns:(?P<region>[a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_.-]+")
_UNSENT: Final = ("Reject", "Rendering Failure")


def receive(delivery: Delivery, account: Mapping[str, str], now: datetime, outgoing: Outgoing) -> Receipt | None:
    """See `Provider.receive`. `account` has `topicArn`. A subscription is confirmed at once.

    Raises ProviderTrouble, too: where Amazon does not give its certificate, or does not take the confirmation.
    """
    # The signature is over fields, so that they are read before it is verified, and not a byte of them is believed.
    fields = _fields(delivery.body)
    host = _host(account["topicArn"])
    _check_origin(fields, account["topicArn"], now)
    _verify(fields, host, now, outgoing)
    if fields["Type"] == "SubscriptionConfirmation":
        _confirm(fields, host, outgoing)
    return _receipt(fields["Message"]) if fields["Type"] == "Notification" else None


def price(account: Mapping[str, str], channel: str, message_id: str, outgoing: Outgoing) -> int | None:  # noqa: ARG001 - every provider's signature
    """Return None: SES has no price for a message, and what it sends is counted."""
    return None


def _fields(body: bytes) -> dict[str, str]:
    """Return the texts of a delivery by name. Raises Unauthorized if it is not one of SNS."""
    try:
        document = payloads.read_signed(body)
    except InvalidRequest:
        raise _unauthorized("The body is not JSON that Amazon SNS sends.") from None
    fields = {name: value for name, value in document.items() if isinstance(value, str)}
    wanted = {*_SIGNED.get(fields.get("Type", ""), ("Type",)), "Signature", "SignatureVersion", "SigningCertURL"}
    # A `Subject` that is null is not there, and not signed.
    if fields.get("Type") not in _SIGNED or not (wanted - {"Subject"}) <= fields.keys():
        raise _unauthorized("The body lacks fields that Amazon SNS sends and signs.")
    return fields


def _host(topic_arn: str) -> str:
    """Name the only host that certificates and confirmations of a topic are at."""
    found = _TOPIC.fullmatch(topic_arn)
    if found is None:
        raise _unauthorized("The topicArn that is set up is none.")
    return f"sns.{found['region']}.amazonaws.com" + (".cn" if found["partition"] == "aws-cn" else "")


def _check_origin(fields: Mapping[str, str], topic_arn: str, now: datetime) -> None:
    if fields["TopicArn"] != topic_arn:
        raise _unauthorized("The delivery is of another topic than the topicArn that is set up.")
    try:
        age = now - read_instant(fields["Timestamp"])
    except ValueError:
        raise _unauthorized("The Timestamp is no instant.") from None
    if not -TOLERANCE <= age <= OLDEST:
        raise _unauthorized("The delivery is older than an hour and five minutes, or from the future.")


def _verify(fields: Mapping[str, str], host: str, now: datetime, outgoing: Outgoing) -> None:
    algorithm = _HASHES.get(fields["SignatureVersion"])
    signature = _decoded(fields["Signature"])
    if algorithm is None or signature is None:
        raise _unauthorized("The signature is none of version 1 or 2.")
    url = fields["SigningCertURL"]
    if not re.fullmatch(rf"https://{re.escape(host)}/[A-Za-z0-9._-]{{1,128}}\.pem", url):
        raise _unauthorized("The certificate is not at Amazon SNS in the region of the topic.")
    certificate = certificates.fetch(url, host, now, outgoing)
    if not certificate.valid_from <= now <= certificate.valid_until:
        raise _unauthorized("The certificate is not valid now.")
    try:
        certificate.key.verify(signature, _text(fields), PKCS1v15(), algorithm)
    except InvalidSignature:
        raise _unauthorized("The signature is not Amazon's.") from None


def _text(fields: Mapping[str, str]) -> bytes:
    """Write what is signed: names and values, in order, a line for each, as Amazon's documentation has it."""
    lines = [f"{name}\n{fields[name]}\n" for name in _SIGNED[fields["Type"]] if name in fields]
    try:
        return "".join(lines).encode()
    except UnicodeEncodeError:
        raise _unauthorized("The delivery has half of a surrogate pair, which Amazon cannot have signed.") from None


def _decoded(text: str) -> bytes | None:
    """Read base64, written as base64 writes it and in no other way; None where it is none."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


def _unauthorized(message: str) -> Unauthorized:
    return Unauthorized(
        message,
        fix="Check that topicArn is that of the topic that SES publishes to, that raw message delivery is off in its "
        "subscription, and that this server's clock is right.",
    )


def _confirm(fields: Mapping[str, str], host: str, outgoing: Outgoing) -> None:
    """Confirm the subscription, as SNS wants it before it delivers."""
    url = fields["SubscribeURL"]
    found = re.fullmatch(rf"https://{re.escape(host)}/\?([A-Za-z0-9._~%:&=+/-]{{1,2048}})", url)
    if found is None or parse_qs(found[1]).get("Action") != ["ConfirmSubscription"]:
        payloads.refuse("/SubscribeURL", f"is no confirmation at https://{host}/")
    answer = outgoing.get(url, hosts={host})
    if answer.status != 200:
        raise api_responses.refused(answer, "Amazon SNS")


def _receipt(message: str) -> Receipt | None:
    """Read what SES tells of an email; None where it is not SES's, or was not sent.

    `mail` is the same in all that SES tells of an email: in whatever order that comes, and how often, it is one event.
    """
    try:
        told = strict_json.read(message)
    except ValueError:
        return None
    kind = payloads.at(told, "/eventType") or payloads.at(told, "/notificationType")
    if not isinstance(kind, str) or kind in _UNSENT or payloads.at(told, "/mail") is None:
        return None
    return _of_mail(told)


def _of_mail(told: Any) -> Receipt:  # noqa: ANN401 - any JSON
    sent_at = payloads.expect_instant(told, "/mail/timestamp", within="/Message")
    recipients = payloads.expect(told, "/mail/destination", list, within="/Message")
    return Receipt(
        message_id=payloads.expect_message_id(told, "/mail/messageId", within="/Message"),
        channel="EMAIL",
        told_at=sent_at,
        quantity=max(1, len(recipients)),
        sent_at=sent_at,
    )
