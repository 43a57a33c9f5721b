"""Only what Twilio signed is taken, as its own library signs it."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendmeter.domain.receipts import Receipt
from sendmeter.errors import InvalidRequest, Unauthorized
from sendmeter.integrations.delivery import Delivery
from sendmeter.integrations.errors import MessageTrouble
from sendmeter.integrations.twilio import receive
from tests.integrations.arbitrary_json import JSONS, TEXTS
from tests.integrations.signed_deliveries import (
    CALL_SID,
    FORM,
    SMS_SID,
    TWILIO_ACCOUNT,
    URL,
    changed_header,
    flipped,
    twilio,
    twilio_call,
    twilio_json,
    twilio_sms,
)
from tests.live import NOON

SIGNATURE = "x-twilio-signature"
PROVEN = settings(max_examples=200, derandomize=True, deadline=None)
DIALED_AT = datetime(2026, 11, 20, 11, 58, tzinfo=UTC)


def taken(delivery, account=TWILIO_ACCOUNT):
    return receive(delivery, account, NOON, None)


def refused(delivery, account=TWILIO_ACCOUNT):
    with pytest.raises(Unauthorized) as error:
        taken(delivery, account)
    assert error.value.fix.startswith("Check that authToken")
    return error.value.message


class Form(dict):
    """A form with several values of a name, as Twilio's library takes it."""

    def getall(self, name):
        return self[name]


@pytest.mark.parametrize("sign", [twilio, twilio_json])
def test_a_message_is_read_without_a_cost_which_twilio_does_not_tell(sign):
    assert taken(sign(twilio_sms())) == Receipt(SMS_SID, "SMS", NOON)


@pytest.mark.parametrize("sign", [twilio, twilio_json])
def test_a_call_is_read_with_its_time(sign):
    assert taken(sign(twilio_call())) == Receipt(CALL_SID, "CALL", DIALED_AT, sent_at=DIALED_AT)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("Fri, 20 Nov 2026 11:58:00 -0000", DIALED_AT),
        ("Fri, 20 Nov 2026 12:58:00 +0100", DIALED_AT),
        ("Fri, 20 Nov 2027 12:00:00 +0000", NOON),
        ("Tue, 31 Nov 2026 12:00:00 +0000", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_time_that_cannot_be_is_not_believed(text, instant):
    receipt = taken(twilio(twilio_call(Timestamp=text)))
    assert (receipt.told_at, receipt.sent_at) == (instant or NOON, instant)


@pytest.mark.parametrize("status", ["sent", "delivered", "undelivered", "failed", "read"])
def test_a_message_that_went_out_counts_whatever_became_of_it(status):
    assert taken(twilio(twilio_sms(MessageStatus=status))).was_sent


@pytest.mark.parametrize("status", ["completed", "busy", "no-answer", "failed"])
def test_a_call_that_was_made_counts_whatever_became_of_it(status):
    assert taken(twilio(twilio_call(CallStatus=status))).was_sent


@pytest.mark.parametrize(
    "fields",
    [
        *[
            twilio_sms(MessageStatus=status)
            for status in ("queued", "sending", "accepted", "scheduled", "canceled", "receiving", "received", "new")
        ],
        *[twilio_call(CallStatus=status) for status in ("initiated", "ringing", "in-progress", "queued", "canceled")],
        twilio_call(Direction="inbound"),
        twilio_sms(Direction="inbound"),
        {"AccountSid": TWILIO_ACCOUNT["accountSid"]},
        {},
    ],
)
def test_what_is_not_sent_or_not_ours_is_passed_over(fields):
    assert taken(twilio(fields)) is None


def test_the_older_names_of_the_fields_are_read_too():
    fields = {"SmsSid": SMS_SID, "SmsStatus": "sent"}
    assert taken(twilio(fields)) == Receipt(SMS_SID, "SMS", NOON)


def test_a_price_in_a_callback_is_taken_though_nobody_knows_when_it_was_told():
    assert taken(twilio(twilio_sms(Price="-0.0079", PriceUnit="USD"))).cost_nano_usd is None
    assert taken(twilio(twilio_sms(Price="much", PriceUnit="EUR"))).cost_nano_usd is None


@pytest.mark.parametrize("port", ["", ":443"])
@pytest.mark.parametrize("signed_port", ["", ":443"])
def test_the_url_is_signed_with_its_port_or_without(port, signed_port):
    url = URL.format("twilio")
    with_port, signed = (url.replace("meter.example", f"meter.example{each}") for each in (port, signed_port))
    assert taken(twilio(twilio_sms(), url=with_port, signed_url=signed))


def test_a_url_without_tls_has_its_own_port():
    signed = "http://meter.example:80/a"
    assert taken(twilio(twilio_sms(), url="http://meter.example/a", signed_url=signed))
    refused(twilio(twilio_sms(), url="http://meter.example/a", signed_url="http://meter.example:443/a"))


@pytest.mark.parametrize("url", ["https://meter.example", "https://meter.example/a?b", "https://meter.example/a/"])
def test_the_signature_of_another_url_is_refused(url):
    refused(twilio(twilio_sms(), signed_url=url))


def test_with_any_byte_of_a_form_changed_the_signature_is_refused():
    genuine = twilio(twilio_sms())
    for body in flipped(genuine.body):
        refused(replace(genuine, body=body))


def test_with_any_byte_of_json_changed_it_is_refused():
    genuine = twilio_json(twilio_sms())
    told = {refused(replace(genuine, body=body)) for body in flipped(genuine.body)}
    assert told == {"The body is no form, and is not what bodySHA256 in the URL tells."}


@pytest.mark.parametrize("genuine", [twilio(twilio_sms()), twilio_json(twilio_sms())])
def test_with_any_character_of_the_signature_changed_it_is_refused(genuine):
    for value in flipped(genuine.headers[SIGNATURE].encode()):
        refused(changed_header(genuine, SIGNATURE, value.decode("latin-1")))


def test_with_any_character_of_the_url_or_the_hash_changed_it_is_refused():
    genuine = twilio_json(twilio_sms())
    for value in flipped(genuine.url.encode()):
        refused(replace(genuine, url=value.decode()))
    for value in flipped(genuine.body_sha256.encode()):
        refused(replace(genuine, body_sha256=value.decode()))


def test_json_with_a_hash_that_fits_but_is_not_signed_is_refused():
    body = json.dumps(twilio_sms(MessageStatus="read")).encode()
    genuine = twilio_json(twilio_sms())
    refused(replace(genuine, body=body, body_sha256=hashlib.sha256(body).hexdigest()))


@pytest.mark.parametrize("digest", [None, "", "é"])
def test_json_without_its_hash_is_refused_whatever_else_is_signed(digest):
    nothing = twilio({})
    refused(replace(nothing, media_type="application/json", body=b"{}", body_sha256=digest))


@pytest.mark.parametrize("value", [None, "", "é", " ", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="])
def test_a_signature_that_is_missing_or_malformed_is_refused(value):
    refused(changed_header(twilio(twilio_sms()), SIGNATURE, value))


def test_another_token_or_account_is_refused():
    refused(twilio(twilio_sms(), token="another"))
    assert "another account" in refused(twilio(twilio_sms(AccountSid="AC" + 32 * "f")))


def test_several_values_of_a_name_are_signed_once_each_and_in_order():
    fields = Form({"MessageSid": [SMS_SID], "MessageStatus": ["sent"], "Tag": ["b", "a", "b"], "Blank": [""]})
    body = urlencode([(name, value) for name, values in fields.items() for value in values]).encode()
    assert taken(replace(twilio(fields), body=body)) == Receipt(SMS_SID, "SMS", NOON)


def test_two_values_of_what_counts_are_refused_with_their_name():
    fields = Form({"MessageSid": [SMS_SID], "MessageStatus": ["sent", "queued"]})
    body = urlencode([(name, value) for name, values in fields.items() for value in values]).encode()
    with pytest.raises(InvalidRequest) as error:
        taken(replace(twilio(fields), body=body))
    assert [fault.pointer for fault in error.value.faults] == ["/MessageStatus"]


def test_a_field_given_twice_with_one_value_is_one():
    genuine = twilio(twilio_sms())
    assert taken(replace(genuine, body=genuine.body + b"&SmsStatus=delivered")) == taken(genuine)


@pytest.mark.parametrize("body", [b"\xff=1", b"a=%ff", b"noequals", b"a=1&" * 201 + b"b=1", b"&", b"{}"])
def test_a_body_that_is_no_form_is_refused(body):
    refused(replace(twilio({}), body=body))


@pytest.mark.parametrize("sid", ["", "a b", "é", "a" * 129, "../Accounts"])
def test_an_id_that_is_none_is_refused_with_its_place(sid):
    with pytest.raises(InvalidRequest) as error:
        taken(twilio(twilio_sms(MessageSid=sid)))
    assert [fault.pointer for fault in error.value.faults] == ["/MessageSid"]


@PROVEN
@given(st.dictionaries(st.sampled_from(sorted(twilio_sms() | twilio_call() | {"Price": "", "Direction": ""})), TEXTS))
def test_no_signed_form_breaks_the_receiver(fields):
    signed = twilio(twilio_sms() | fields)
    try:
        receipt = taken(signed)
    except (InvalidRequest, MessageTrouble, Unauthorized):
        return
    assert receipt is None or receipt.was_sent


@PROVEN
@given(st.binary(max_size=100) | JSONS.map(lambda value: json.dumps(value).encode()))
def test_nothing_that_is_signed_by_its_hash_breaks_the_receiver(body):
    try:
        assert taken(twilio_json(body)) is None
    except InvalidRequest:
        return


@PROVEN
@given(st.binary(max_size=100), st.text(max_size=30), st.text(max_size=10), st.none() | st.text(max_size=70))
def test_nothing_unsigned_breaks_the_receiver(body, signature, url, digest):
    for media_type in (FORM, "application/json", ""):
        refused(Delivery(url.encode(errors="replace").decode(), {SIGNATURE: signature}, media_type, body, digest))
