"""A price is what the provider's API tells of that message, exactly; all else is told as trouble with its code."""

from datetime import timedelta

import pytest

from sendmeter.integrations import KNOWN
from sendmeter.integrations.errors import MessageTrouble, ProviderTrouble
from tests.integrations.signed_deliveries import CALL_SID, LEG_UUID, SMS_SID, SMS_UUID, TELNYX_ACCOUNT, TWILIO_ACCOUNT
from tests.integrations.standin import TELNYX

ACCOUNTS = {"twilio": TWILIO_ACCOUNT, "telnyx": TELNYX_ACCOUNT}
IDS = {"twilio": SMS_SID, "telnyx": SMS_UUID}
BOTH = pytest.mark.parametrize("provider", ["twilio", "telnyx"])


@pytest.fixture
def price(outgoing):
    def ask(provider, message_id=None, channel="SMS", way=outgoing):
        return KNOWN[provider].price(ACCOUNTS[provider], channel, message_id or IDS[provider], way)

    return ask


@pytest.fixture
def trouble(price):
    def ask(kind, *asked, **options):
        with pytest.raises(kind) as error:
            price(*asked, **options)
        assert error.value.__cause__ is None
        return error.value

    return ask


def test_twilio_is_asked_with_its_account_for_messages_and_calls(standin, price):
    standin.price("twilio", SMS_SID, "-0.00790")
    standin.price("twilio", CALL_SID, "-0.0130", unit="usd")
    assert [price("twilio"), price("twilio", CALL_SID, "CALL")] == [7_900_000, 13_000_000]
    account = TWILIO_ACCOUNT["accountSid"]
    assert [request.path for request in standin.requests] == [
        f"/2010-04-01/Accounts/{account}/Messages/{SMS_SID}.json",
        f"/2010-04-01/Accounts/{account}/Calls/{CALL_SID}.json",
    ]


def test_telnyx_is_asked_for_the_records_of_that_message(standin, price):
    standin.price("telnyx", SMS_UUID, "0.0040")
    assert price("telnyx") == 4_000_000
    (asked,) = standin.requests
    assert asked.query == {"filter[record_type]": ["messaging"], "filter[uuid]": [SMS_UUID]}
    assert asked.headers["authorization"] == f"Bearer {TELNYX_ACCOUNT['apiKey']}"


def test_telnyx_is_asked_for_the_message_where_it_has_no_record_yet(standin, price):
    standin.price("telnyx", SMS_UUID, "0.0040", recorded=False)
    assert price("telnyx") == 4_000_000
    assert [request.path for request in standin.requests] == ["/v2/detail_records", f"/v2/messages/{SMS_UUID}"]


@BOTH
@pytest.mark.parametrize("amount", ["0", "0.00000"])
def test_a_message_may_cost_nothing(standin, price, provider, amount):
    standin.price(provider, IDS[provider], amount)
    assert price(provider) == 0


@BOTH
def test_a_price_that_is_not_there_yet_is_none_and_may_come(standin, price, provider):
    standin.price(provider, IDS[provider], None)
    assert price(provider) is None
    standin.price(provider, IDS[provider], "-0.01" if provider == "twilio" else "0.01")
    assert price(provider) == 10_000_000


@pytest.mark.parametrize(
    ("provider", "amount", "unit", "code"),
    [
        ("twilio", "0.0079", "USD", "unexpected_price"),
        ("twilio", "-0.0079", "EUR", "unsupported_currency"),
        ("twilio", "-0.0079", None, "unsupported_currency"),
        ("twilio", "-0.0000000001", "USD", "unreadable_cost"),
        ("twilio", "-", "USD", "unreadable_cost"),
        ("telnyx", "-0.0079", "USD", "unreadable_cost"),
        ("telnyx", "0.0079", "EUR", "unsupported_currency"),
        ("telnyx", [], "USD", "unreadable_cost"),
    ],
)
@pytest.mark.parametrize("recorded", [True, False])
def test_a_price_that_cannot_be_counted_is_trouble_with_that_message(
    standin, trouble, provider, amount, unit, code, recorded
):
    standin.price(provider, IDS[provider], amount, unit=unit, recorded=recorded)
    assert trouble(MessageTrouble, provider).code == code


@BOTH
def test_a_message_that_is_not_known_is_trouble_with_that_message(trouble, provider):
    told = trouble(MessageTrouble, provider)
    assert told.code == {"twilio": "20404", "telnyx": "10005"}[provider]
    assert told.message == f"{provider.title()} does not know that message."


@pytest.mark.parametrize(
    ("provider", "channel", "message_id"),
    [
        ("twilio", "SMS", CALL_SID),
        ("twilio", "CALL", SMS_SID),
        ("twilio", "SMS", f"{SMS_SID}0"),
        ("twilio", "SMS", f"{SMS_SID}\n"),
        ("twilio", "SMS", "../Calls"),
        ("twilio", "SMS", ""),
        ("twilio", "EMAIL", SMS_SID),
        ("telnyx", "SMS", SMS_SID),
        ("telnyx", "SMS", f"{SMS_UUID}&filter[a]=b"),
        ("telnyx", "SMS", f"{SMS_UUID}\n"),
        ("telnyx", "CALL", ""),
    ],
)
def test_an_id_that_is_none_of_the_providers_is_not_asked_for(standin, outgoing, provider, channel, message_id):
    with pytest.raises(MessageTrouble) as error:
        KNOWN[provider].price(ACCOUNTS[provider], channel, message_id, outgoing)
    assert error.value.code == "unknown_message"
    assert standin.requests == []


def test_the_price_of_a_call_at_telnyx_is_not_asked_for(standin, price):
    assert price("telnyx", LEG_UUID, "CALL") is None
    assert standin.requests == []


@BOTH
@pytest.mark.parametrize(
    ("how", "code", "retry_after"),
    [
        ("hang", "timeout", None),
        ("close", "broken_answer", None),
        ("half", "broken_answer", None),
        ("redirect", "redirected", None),
        ("oversize", "too_large", None),
        ("bad_json", "broken_answer", None),
        ("html", "broken_answer", None),
        ("wrong_types", "broken_answer", None),
        ("unauthorized", {"twilio": "20003", "telnyx": "10009"}, None),
        ("rate_limit", {"twilio": "20429", "telnyx": "10011"}, "7"),
        ("fail", "http_500", None),
    ],
)
def test_trouble_has_the_providers_own_code_or_ours(standin, trouble, hurried, provider, how, code, retry_after):
    standin.price(provider, IDS[provider], "-0.01")
    standin.behave(how, retry_after=retry_after)
    told = trouble(ProviderTrouble, provider, **({"way": hurried} if how == "hang" else {}))
    assert told.code == (code[provider] if isinstance(code, dict) else code)
    assert told.retry_after == (timedelta(seconds=7) if retry_after else None)
    assert "Sorry" not in told.message
    assert len(standin.requests) == 1


@BOTH
@pytest.mark.parametrize(
    ("status", "body", "code", "words"),
    [
        (401, b"", "http_401", "refuses the credentials (401)"),
        (403, b"<html>", "http_403", "does not allow what was asked (403)"),
        (404, b"<html>a proxy's page</html>", "http_404", "does not know what was asked (404)"),
        (400, b'{"code": "a b"}', "http_400", "refuses what was asked (400)"),
        (400, b'{"code": true}', "http_400", "refuses what was asked (400)"),
        (400, b'{"code": "' + b"a" * 999 + b'"}', "http_400", "refuses what was asked (400)"),
        (400, b'{"errors": []}', "http_400", "refuses what was asked (400)"),
        (400, b'{"errors": ["hush"]}', "http_400", "refuses what was asked (400)"),
        (400, b'{"errors": [{"code": 10027, "detail": "hush"}]}', "10027", "refuses what was asked (400)"),
        (503, b'{"code": 20503, "message": "hush"}', "20503", "fails (503)"),
        (204, b"", "http_204", "refuses what was asked (204)"),
        (200, b"[]", "broken_answer", "answers with something else than its API documents"),
        (200, b"{}", "broken_answer", "answers with something else than its API documents"),
        (200, b'{"sid": "another", "price": "-1", "data": {}}', "broken_answer", "answers with something else"),
    ],
)
def test_any_other_answer_is_trouble_in_our_own_words(standin, trouble, provider, status, body, code, words):
    for path in (f"/2010-04-01/Accounts/{TWILIO_ACCOUNT['accountSid']}/Messages/{SMS_SID}.json", "/v2/detail_records"):
        standin.serve(f"api.{provider}.com", path, body, status=status)
    told = trouble(ProviderTrouble, provider)
    assert told.code == code
    assert told.message.startswith(f"{provider.title()} {words}")
    assert "hush" not in told.message


def test_only_records_of_that_message_are_summed(standin, price):
    ours = f'{{"uuid": "{SMS_UUID.upper()}", "cost": "0.004", "currency": "USD"}}'
    other = f'{{"uuid": "{LEG_UUID}", "cost": "9", "currency": "EUR"}}'
    body = f'{{"data": [{ours}, {other}, null, 7, {ours}, {{"cost": "5"}}]}}'
    standin.serve(TELNYX, "/v2/detail_records", body.encode())
    assert price("telnyx") == 8_000_000


def test_a_message_with_a_record_that_has_no_cost_yet_has_no_price_yet(standin, price):
    known, unknown = (f'{{"uuid": "{SMS_UUID}", "cost": {cost}, "currency": "USD"}}' for cost in ('"0.004"', "null"))
    standin.serve(TELNYX, "/v2/detail_records", f'{{"data": [{known}, {unknown}]}}'.encode())
    standin.price("telnyx", SMS_UUID, None)
    assert price("telnyx") is None


@pytest.mark.parametrize("data", ["null", "[]", '{"id": "another"}', f'{{"id": "{SMS_UUID}", "cost": 7}}'])
def test_a_message_of_another_shape_is_trouble(standin, trouble, data):
    standin.serve(TELNYX, f"/v2/messages/{SMS_UUID}", f'{{"data": {data}}}'.encode())
    assert trouble(ProviderTrouble, "telnyx").code == "broken_answer"
