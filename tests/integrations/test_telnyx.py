"""Only what Telnyx signed is taken, and its costs exactly as it tells them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendmeter.domain.receipts import Receipt
from sendmeter.errors import InvalidRequest, Unauthorized
from sendmeter.integrations.errors import MessageTrouble
from sendmeter.integrations.telnyx import TOLERANCE, receive
from tests.integrations.arbitrary_json import JSONS
from tests.integrations.signed_deliveries import (
    LEG_UUID,
    SMS_UUID,
    TELNYX_ACCOUNT,
    changed_header,
    flipped,
    telnyx,
    telnyx_call,
    telnyx_event,
    telnyx_sms,
)
from tests.live import NOON

SIGNATURE, TIMESTAMP = "telnyx-signature-ed25519", "telnyx-timestamp"
PROVEN = settings(max_examples=200, derandomize=True, deadline=None)


def taken(delivery, account=TELNYX_ACCOUNT, now=NOON):
    return receive(delivery, account, now, None)


def refused(delivery, account=TELNYX_ACCOUNT, now=NOON):
    with pytest.raises(Unauthorized) as error:
        taken(delivery, account, now)
    assert error.value.fix.startswith("Check that publicKey")
    return error.value.message


def test_a_message_is_read_with_its_cost_and_its_times():
    assert taken(telnyx(telnyx_sms())) == Receipt(
        message_id=SMS_UUID,
        channel="SMS",
        told_at=datetime(2026, 11, 20, 11, 59, 30, tzinfo=UTC),
        cost_nano_usd=5_100_000,
        sent_at=datetime(2026, 11, 20, 11, 59, 0, 123_000, tzinfo=UTC),
    )


def test_a_call_is_read_with_its_cost():
    told_at = datetime(2026, 11, 20, 11, 59, 30, tzinfo=UTC)
    assert taken(telnyx(telnyx_call())) == Receipt(LEG_UUID, "CALL", told_at, 16_500_000)


@pytest.mark.parametrize(
    ("amount", "nanos"),
    [("0.0051", 5_100_000), ("0", 0), ("0.000000001", 1), ("999999.999999999", 10**15 - 1), ("7.5e-3", None)],
)
def test_an_amount_is_exact_as_a_string_and_as_a_number(amount, nanos):
    text = json.dumps(telnyx_sms(cost={"amount": 12321, "currency": "USD"})).replace("12321", amount)
    assert taken(telnyx(text.encode())).cost_nano_usd == (nanos if nanos is not None else 7_500_000)
    if nanos is not None:
        event = telnyx_sms(cost={"amount": amount, "currency": "usd"})
        assert taken(telnyx(event)).cost_nano_usd == nanos


@pytest.mark.parametrize("cost", [None, {"amount": None, "currency": "USD"}, {}])
def test_a_cost_that_is_not_known_yet_is_none(cost):
    assert taken(telnyx(telnyx_sms(cost=cost))).cost_nano_usd is None


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (telnyx_sms(cost={"amount": "0.1", "currency": "EUR"}), "unsupported_currency"),
        (telnyx_sms(cost={"amount": "0.1"}), "unsupported_currency"),
        (telnyx_sms(cost={"amount": "-0.1", "currency": "USD"}), "unreadable_cost"),
        (telnyx_sms(cost={"amount": "0.0000000001", "currency": "USD"}), "unreadable_cost"),
        (telnyx_sms(cost={"amount": "1,5", "currency": "USD"}), "unreadable_cost"),
        (telnyx_sms(cost={"amount": True, "currency": "USD"}), "unreadable_cost"),
        (telnyx_sms(cost={"amount": 10**900, "currency": "USD"}), "unreadable_cost"),
        (telnyx_sms(cost={"amount": "1000000", "currency": "USD"}), "unreadable_cost"),
        (telnyx_call(cost_parts=[{"currency": "USD"}, {"currency": "GBP"}]), "unsupported_currency"),
        (telnyx_call(total_cost="-1"), "unreadable_cost"),
    ],
)
def test_a_cost_that_cannot_be_counted_is_trouble_with_that_message(event, code):
    with pytest.raises(MessageTrouble) as trouble:
        taken(telnyx(event))
    assert trouble.value.code == code


@pytest.mark.parametrize(
    ("changes", "nanos"),
    [
        ({"status": "error"}, None),
        ({"status": "error", "cost_parts": [{"currency": "GBP"}]}, None),
        ({"total_cost": None}, None),
        ({"cost_parts": None}, 16_500_000),
        ({"cost_parts": []}, 16_500_000),
        ({"cost_parts": [{"cost": "0.0165"}]}, 16_500_000),
    ],
)
def test_a_call_costs_what_was_calculated_and_nothing_else(changes, nanos):
    assert taken(telnyx(telnyx_call(**changes))).cost_nano_usd == nanos


@pytest.mark.parametrize(("to", "quantity"), [([], 1), (None, 1), ([{}], 1), ([{}, {}, {}], 3)])
def test_each_recipient_counts(to, quantity):
    assert taken(telnyx(telnyx_sms(to=to))).quantity == quantity


def test_a_message_without_the_time_of_sending_was_sent_when_it_is_told_of():
    receipt = taken(telnyx(telnyx_sms(sent_at=None)))
    assert receipt.sent_at == receipt.told_at


@pytest.mark.parametrize(
    "event",
    [
        telnyx_sms("message.received"),
        telnyx_sms(direction="inbound"),
        telnyx_sms(direction=None),
        telnyx_event("call.initiated", {}),
        telnyx_event("call.hangup", None),
        telnyx_event("something.new", "of any shape"),
    ],
)
def test_what_is_no_message_of_ours_is_passed_over(event):
    assert taken(telnyx(event)) is None


@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b"\xff", ""),
        (b'{"data": NaN}', ""),
        (b"[" * 100_000, ""),
        (b'{"a":' * 40 + b"1" + b"}" * 40, ""),
        (b'{"data": ' + b"9" * 5000 + b"}", ""),
        (b'{"data": 1e99999999999999999999}', ""),
        (b"{}", "/data/event_type"),
        ({"data": {"event_type": 7}}, "/data/event_type"),
        (telnyx_sms(id=7), "/data/payload/id"),
        (telnyx_sms(id="a b"), "/data/payload/id"),
        (telnyx_sms(id="é"), "/data/payload/id"),
        (telnyx_sms(id="a" * 129), "/data/payload/id"),
        (telnyx_sms(id="\ud800"), "/data/payload/id"),
        (telnyx_sms(sent_at="yesterday"), "/data/payload/sent_at"),
        (telnyx_sms(to="+1"), "/data/payload/to"),
        (telnyx_sms(cost="0.1"), "/data/payload/cost"),
        (telnyx_call(call_leg_id=None), "/data/payload/call_leg_id"),
        (telnyx_call(cost_parts="USD"), "/data/payload/cost_parts"),
    ],
)
def test_what_is_signed_but_malformed_is_refused_with_its_place(event, pointer):
    with pytest.raises(InvalidRequest) as error:
        taken(telnyx(event))
    assert [fault.pointer for fault in error.value.faults] == [pointer]


@PROVEN
@given(st.binary(max_size=200) | JSONS.map(lambda value: json.dumps(value).encode()))
@example(b"\xef\xbb\xbf{}")
def test_nothing_that_is_signed_breaks_the_receiver(body):
    with pytest.raises(InvalidRequest):
        taken(telnyx(body))


@PROVEN
@given(st.sampled_from(["message.sent", "call.cost"]), JSONS, st.sampled_from(sorted(telnyx_sms()["data"]["payload"])))
def test_no_payload_breaks_the_receiver(kind, value, name):
    event = telnyx_sms(kind, **{name: value}) if kind == "message.sent" else telnyx_event(kind, value)
    try:
        receipt = taken(telnyx(event))
    except (InvalidRequest, MessageTrouble):
        return
    assert receipt is None or receipt.channel == "SMS"


def test_with_any_byte_of_the_body_changed_the_signature_is_refused():
    genuine = telnyx(telnyx_sms())
    assert {refused(replace(genuine, body=body)) for body in flipped(genuine.body)} == {
        "The signature is not Telnyx's."
    }


@pytest.mark.parametrize("name", [SIGNATURE, TIMESTAMP])
def test_with_any_character_of_a_header_changed_the_signature_is_refused(name):
    genuine = telnyx(telnyx_sms())
    for value in flipped(genuine.headers[name].encode()):
        refused(changed_header(genuine, name, value.decode("latin-1")))


@pytest.mark.parametrize("name", [SIGNATURE, TIMESTAMP])
@pytest.mark.parametrize("value", [None, "", " ", "é", "====", "1" * 13, "-1", "1.0", "A" * 88, "٣" * 10])
def test_a_header_that_is_missing_or_malformed_is_refused(name, value):
    refused(changed_header(telnyx(telnyx_sms()), name, value))


def test_the_same_signature_in_another_writing_is_refused():
    genuine = telnyx(telnyx_sms())
    signature = genuine.headers[SIGNATURE]
    # The last character before the padding has four bits that no byte is made of.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = alphabet[alphabet.index(signature[-3]) + 1]
    for value in (signature.rstrip("="), signature[:-3] + other + "==", f"{signature}\n", f" {signature}"):
        refused(changed_header(genuine, SIGNATURE, value))


@pytest.mark.parametrize("seconds", [-301, 301, 86_400 * 365])
def test_a_signature_that_is_too_old_or_too_early_is_refused(seconds):
    assert "older than five minutes" in refused(telnyx(telnyx_sms(), at=NOON + timedelta(seconds=seconds)))


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_signature_is_good_for_five_minutes_both_ways(sign):
    assert taken(telnyx(telnyx_sms(), at=NOON + sign * TOLERANCE))


def test_another_accounts_signature_is_refused():
    refused(telnyx(telnyx_sms(), key=Ed25519PrivateKey.generate()))


@pytest.mark.parametrize("key", ["", "hush", "A" * 44, "é", TELNYX_ACCOUNT["publicKey"].rstrip("=")])
def test_with_a_key_that_is_none_everything_is_refused(key):
    refused(telnyx(telnyx_sms()), {"publicKey": key})
