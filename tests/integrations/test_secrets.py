"""No secret is in what is raised, shown or logged, however things go wrong."""

import logging
import traceback

import pytest

from sendmeter.errors import Refusal
from sendmeter.integrations import KNOWN
from sendmeter.integrations.errors import MessageTrouble, ProviderTrouble
from tests.integrations.signed_deliveries import (
    SES_ACCOUNT,
    SMS_SID,
    SMS_UUID,
    TELNYX_ACCOUNT,
    TWILIO_ACCOUNT,
    Amazon,
    changed_header,
    ses_event,
    sns,
    telnyx,
    telnyx_sms,
    twilio,
    twilio_sms,
)
from tests.integrations.standin import BEHAVIOURS
from tests.live import NOON

# Each secret here has "hush" in it; as basic authentication it reads otherwise.
SECRETS = ("hush", "aHVzaD", "OjEyMzQ1aHVzaDY3ODkw", "h1c2g2Nzg5M")
# Answers that do not end: only the time-out ends them.
ENDLESS = ("hang", "drip", "drip_headers")


def check(text):
    assert not any(secret in text for secret in SECRETS)


def check_error(error):
    """Nothing in what it says, in what it stands for, and in what it came from."""
    while error is not None:
        check(f"{error} {error!r} {vars(error)}")
        check("".join(traceback.format_exception(error)))
        error = error.__cause__ or error.__context__


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.DEBUG)
    yield caplog
    for record in caplog.records:
        check(f"{record.getMessage()} {record.__dict__}")


@pytest.mark.parametrize("how", sorted(BEHAVIOURS))
@pytest.mark.parametrize(
    ("provider", "account", "message_id"), [("telnyx", TELNYX_ACCOUNT, SMS_UUID), ("twilio", TWILIO_ACCOUNT, SMS_SID)]
)
def test_no_question_tells_a_secret(standin, outgoing, hurried, log, how, provider, account, message_id):
    standin.price(provider, message_id, "-hush" if how in ("well", "slow") else "0.1")
    standin.behave(how)
    way = hurried if how in ENDLESS else outgoing
    with pytest.raises((ProviderTrouble, MessageTrouble)) as error:
        KNOWN[provider].price(account, "SMS", message_id, way)
    check_error(error.value)
    check(repr(way))
    assert standin.requests[0].headers["authorization"]


@pytest.mark.parametrize("secret", ["hush\n", "hush\0", "hushé", "hush\ud800"])
@pytest.mark.parametrize("provider", ["telnyx", "twilio"])
def test_no_secret_that_cannot_be_sent_is_told(standin, outgoing, log, secret, provider):
    account = {**TELNYX_ACCOUNT, **TWILIO_ACCOUNT, "apiKey": secret, "authToken": secret}
    message_id = {"telnyx": SMS_UUID, "twilio": SMS_SID}[provider]
    with pytest.raises((ProviderTrouble, MessageTrouble)) as error:
        KNOWN[provider].price(account, "SMS", message_id, outgoing)
    check_error(error.value)


@pytest.mark.parametrize(
    ("provider", "account", "delivery"),
    [
        ("telnyx", TELNYX_ACCOUNT, changed_header(telnyx(telnyx_sms()), "telnyx-timestamp", "hush")),
        ("telnyx", TELNYX_ACCOUNT, telnyx(b'{"data": "hush"}')),
        ("telnyx", {"publicKey": "hush"}, telnyx(telnyx_sms())),
        ("twilio", TWILIO_ACCOUNT, changed_header(twilio(twilio_sms()), "x-twilio-signature", "hush")),
        ("twilio", TWILIO_ACCOUNT, twilio(twilio_sms(MessageSid="hush é"))),
        ("ses", SES_ACCOUNT, sns(b'{"Token": "hush"}')),
    ],
)
def test_no_delivery_that_is_refused_tells_a_secret(outgoing, log, provider, account, delivery):
    check(repr(delivery))
    with pytest.raises(Refusal) as error:
        KNOWN[provider].receive(delivery, account, NOON, outgoing)
    check_error(error.value)
    check(f"{error.value.message} {error.value.fix} {error.value.faults}")


@pytest.mark.parametrize("how", ["well", "hang", "fail", "redirect"])
def test_the_token_of_a_subscription_is_not_told(standin, outgoing, hurried, log, how):
    amazon, way = Amazon(standin), hurried if how == "hang" else outgoing
    assert KNOWN["ses"].receive(sns(amazon.notification(ses_event())), SES_ACCOUNT, NOON, way)
    standin.behave(how)
    try:
        assert KNOWN["ses"].receive(sns(amazon.confirmation()), SES_ACCOUNT, NOON, way) is None
    except ProviderTrouble as trouble:
        check_error(trouble)
    assert "hush" in standin.requests[-1].query["Token"][0]
