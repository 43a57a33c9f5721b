"""Deliveries of providers: nothing but what they signed is taken; what they signed is read within bounds, or refused.

The first byte chooses: what is signed is the input itself, JSON or a form made from it, or a genuine delivery is
changed as the input says; then it is taken only where all that is signed is as it was.
"""

import base64
import hashlib
import json
import re
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import cache
from urllib.parse import parse_qsl, urlencode

from twilio.request_validator import RequestValidator

from sendmeter.domain.channels import COSTED_CHANNELS
from sendmeter.errors import InvalidRequest, Unauthorized
from sendmeter.integrations import ses, telnyx, twilio
from sendmeter.integrations.errors import MessageTrouble, ProviderTrouble
from sendmeter.integrations.http_client import Outgoing
from tests.integrations import signed_deliveries as signed
from tests.integrations.standin import StandIn
from tests.live import NOON
from tests.proof.parsers.drawn import Drawn, altered, as_json, edited
from tests.proof.parsers.outcomes import outcome

TELNYX = [
    signed.telnyx_sms(),
    signed.telnyx_call(),
    signed.telnyx_sms("message.sent", cost=None),
]
TWILIO = [signed.twilio_sms(), signed.twilio_call()]
MAILS = [signed.ses_event(), signed.ses_event("Send", named="notificationType")]
DATE = "2026-11-20T12:00:00Z"
OPTIONS = [
    "message.sent", "message.finalized", "call.cost", "success", "outbound", "inbound", "USD", "EUR", "0.0051", "-1",
    "1e9", "1e-10", "999999.999999999", "1000000", DATE, "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+00:01", "é",
    "data", "payload", "cost", "amount", "currency", "to", "mail", "destination", "eventType", "timestamp", "\ud800",
    [], {}, {"amount": 1e-9, "currency": "usd"}, [{"currency": "USD", "cost": "1"}], ["a"], -0.0, 10**30, None, True,
    "Reject", "x" * 129,
]  # fmt: skip
FORM_OPTIONS = [
    *TWILIO[0], *TWILIO[1], "sent", "delivered", "completed", "busy", "inbound", "é", "", "&=", "\0", "+",
    "Fri, 20 Nov 2026 11:58:00 +0000", "Fri, 31 Dec 9999 23:59:59 -2359", "20 Nov 99999 1:1:1", "1 Jan 1 1:1 EST",
    signed.TWILIO_ACCOUNT["accountSid"],
]  # fmt: skip
TOKENS = [option for option in OPTIONS if isinstance(option, str) and option != "\ud800"]
FORM_TOKENS = [*FORM_OPTIONS, "MessageSid=", "MessageStatus=", "Timestamp=", "%20", "%ff", "&", "CallSid="]
SEEDS = [
    b"\0", *(b"\0" + as_json(each) for each in (*TELNYX, *MAILS)), *(bytes([1, each]) for each in range(3)),
    b"\2\0\0\3", b"\2\0\1\1\0\1", b"\2\1\0\2\1\2\3", b"\2\2\0\2\1\2\3",
]  # fmt: skip
FORM_SEEDS = [
    *(b"\0" + urlencode(each).encode() for each in TWILIO), b"\0a=%ff", b"\0a", b"\0a=1&a=2", b"\0",
    *(b"\1" + as_json(each) for each in TWILIO), *(bytes([2, each]) for each in range(2)), b"\3\0\0\2", b"\3\1\0\2",
]  # fmt: skip


def check_telnyx(data):
    drawn = Drawn(data)
    match drawn.number(3):
        case 0:
            _check_taken(signed.telnyx(drawn.rest()), _of_telnyx)
        case 1:
            _check_taken(signed.telnyx(as_json(_changed(drawn.one_of(TELNYX), drawn))), _of_telnyx)
        case _:
            genuine = signed.telnyx(drawn.one_of(TELNYX))
            forged = _forged(genuine, drawn, ("telnyx-timestamp", "telnyx-signature-ed25519"))
            is_same = (forged.headers, forged.body) == (genuine.headers, genuine.body)
            assert _is_taken(forged, _of_telnyx) == is_same


def _of_telnyx(delivery):
    return telnyx.receive(delivery, signed.TELNYX_ACCOUNT, NOON, None)


def _changed(value, drawn):
    for _ in range(drawn.number(4) + 1):
        value = altered(value, drawn, OPTIONS)
    return value


def _forged(genuine, drawn, names):
    """Change the body of a delivery, or one of its headers, or nothing where the change comes to that."""
    part = drawn.number(len(names) + 1)
    if part == len(names):
        return replace(genuine, body=edited(genuine.body, drawn))
    header = edited(genuine.headers[names[part]].encode("latin-1"), drawn)
    return signed.changed_header(genuine, names[part], header.decode("latin-1"))


def _is_taken(delivery, receive):
    """Return whether a delivery is believed; it may be of something else than what counts."""
    try:
        receive(delivery)
    except Unauthorized:
        return False
    except (InvalidRequest, MessageTrouble):
        return True
    return True


def _check_taken(delivery, receive):
    """What is signed is read within bounds, or refused in words."""
    receipt = outcome(lambda: receive(delivery), InvalidRequest, MessageTrouble)
    if isinstance(receipt, InvalidRequest):
        assert receipt.faults
        return
    if isinstance(receipt, MessageTrouble):
        assert re.fullmatch("[a-z_]+", receipt.code)
        receipt = receipt.receipt
        assert receipt.cost_nano_usd is None
    if receipt is None:
        return
    assert re.fullmatch(r"[A-Za-z0-9._:~-]{1,128}", receipt.message_id)
    assert receipt.cost_nano_usd is None or (0 <= receipt.cost_nano_usd < 10**15 and receipt.channel in COSTED_CHANNELS)
    assert 1 <= receipt.quantity <= 1_000_000
    assert receipt.told_at.utcoffset() == timedelta(0)
    assert receipt.sent_at is None or receipt.sent_at.utcoffset() == timedelta(0)


def check_twilio(data):
    drawn = Drawn(data)
    match drawn.number(4):
        case 0:
            _check_form(drawn.rest())
        case 1:
            _check_taken(signed.twilio_json(drawn.rest()), _of_our_account)
        case 2:
            fields = altered(drawn.one_of(TWILIO), drawn, FORM_OPTIONS)
            _check_form(urlencode({name: f"{value}" for name, value in fields.items()}, errors="replace").encode())
        case _:
            _check_forged(drawn.one_of([signed.twilio, signed.twilio_json])(drawn.one_of(TWILIO)), drawn)


class Form(dict):
    """A form as Twilio's own library takes it: several values of a name."""

    getall = dict.get


def _check_form(body):
    """Sign any form with Twilio's own library, for the fields that another reader finds in it."""
    empty = signed.twilio({})
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body), errors="strict")
    except ValueError:
        assert not _is_taken(replace(empty, body=body), _of_twilio)
        return
    form = Form()
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    signature = RequestValidator(signed.TWILIO_ACCOUNT["authToken"]).compute_signature(empty.url, form)
    delivery = signed.changed_header(replace(empty, body=body), "x-twilio-signature", signature)
    if len(pairs) <= 200:
        _check_taken(delivery, _of_our_account)
    else:
        assert not _is_taken(delivery, _of_twilio)


def _of_our_account(delivery):
    """What is signed is believed, but where it is about another account."""
    receipt = outcome(lambda: _of_twilio(delivery), Unauthorized)
    if isinstance(receipt, Unauthorized):
        assert receipt.message.startswith("The callback is about another account")
        return None
    return receipt


def _of_twilio(delivery):
    receipt = twilio.receive(delivery, signed.TWILIO_ACCOUNT, NOON, None)
    assert receipt is None or (receipt.cost_nano_usd is None and receipt.told_at <= NOON)
    return receipt


def _check_forged(genuine, drawn):
    forged = _forged(genuine, drawn, ("x-twilio-signature",))
    if drawn.number(8) == 7 and genuine.body_sha256:
        forged = replace(forged, body_sha256=hashlib.sha256(forged.body).hexdigest())
    # Fields in another order, or written otherwise, are signed by the same text.
    is_same = forged.headers == genuine.headers and _signed_text(forged) == _signed_text(genuine)
    assert is_same or not _is_taken(forged, _of_twilio)
    assert _is_taken(genuine, _of_twilio)


def _signed_text(delivery):
    if delivery.body_sha256:
        return delivery.body_sha256, delivery.body
    try:
        pairs = parse_qsl(delivery.body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        return None
    return "".join(name + value for name, value in sorted(set(pairs)))


@cache
def _amazon():
    """Amazon's stand-in, with its certificate and the way out to it, for as long as the process lives."""
    kept = ExitStack()
    standin = kept.enter_context(StandIn())
    return signed.Amazon(standin), Outgoing(test_url=standin.url)


def check_ses(data):
    drawn, (amazon, _) = Drawn(data), _amazon()
    match drawn.number(3):
        case 0:
            _check_taken(signed.sns(amazon.notification(drawn.rest().decode(errors="replace"))), _of_ses)
        case 1:
            message = json.dumps(_changed(drawn.one_of(MAILS), drawn))
            _check_taken(signed.sns(amazon.notification(message, version=drawn.one_of("12"))), _of_ses)
        case _:
            fields = drawn.one_of(
                [amazon.notification(MAILS[0]), amazon.notification(MAILS[1], version="2", Subject=None)]
            )
            _check_forged_fields(fields, drawn)


def _of_ses(delivery):
    return ses.receive(delivery, signed.SES_ACCOUNT, NOON, _amazon()[1])


def _check_forged_fields(fields, drawn):
    if drawn.number(2):
        body = edited(json.dumps(fields).encode(), drawn)
    else:
        name = drawn.one_of(sorted(fields))
        body = as_json(fields | {name: edited(fields[name].encode(), drawn).decode(errors="replace")})
    try:
        taken = _is_taken(signed.sns(body), _of_ses)
    except ProviderTrouble:
        taken = False  # its certificate is where there is none
    assert not taken or _meant(body) == _meant(json.dumps(fields).encode())


def _meant(body):
    """Return what is signed of a delivery, and the signature: as Amazon's documentation has it."""
    told = json.loads(body)
    names = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
    text = "".join(f"{name}\n{told[name]}\n" for name in names if isinstance(told.get(name), str))
    return text, told["Message"], told["SignatureVersion"], base64.b64decode(told["Signature"], validate=True)
