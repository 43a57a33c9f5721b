"""What providers answer: certificates, prices and dates are read within bounds, or are troubles that have words."""

import base64
import email.utils
import warnings
from contextlib import ExitStack, suppress
from datetime import UTC, timedelta
from functools import cache

from sendmeter.integrations import certificates, http_client, telnyx, twilio
from sendmeter.integrations.errors import MessageTrouble, ProviderTrouble
from sendmeter.integrations.http_client import Outgoing
from tests.integrations import signed_deliveries as signed
from tests.integrations.standin import StandIn
from tests.proof.parsers.amounts import MOST_COST
from tests.proof.parsers.drawn import Drawn, altered, as_json, edited
from tests.proof.parsers.outcomes import outcome

BEGIN, END = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"
CERTIFICATE_SEEDS = [b"\0", b"\1\0\0\3", b"\1\0\1\0\1", b"\0" + BEGIN + b"MA==\n" + END]
SMS = {"sid": signed.SMS_SID, "price": "-0.0079", "price_unit": "USD"}
RECORD = {"uuid": signed.SMS_UUID, "cost": "0.0051", "currency": "USD"}
MESSAGE = {"id": signed.SMS_UUID, "cost": {"amount": "0.0051", "currency": "USD"}}
TOLD = [SMS, {"data": [RECORD, RECORD]}, {"data": MESSAGE}, {"code": 20404}, {"errors": [{"code": "10005"}]}]
OPTIONS = [
    "data",
    "errors",
    "code",
    "sid",
    "price",
    "price_unit",
    "cost",
    "uuid",
    "USD",
    "EUR",
    "-1",
    "1",
    None,
    RECORD,
    MESSAGE,
]
PRICE_SEEDS = [bytes([0, 0, number]) for number in range(5)] + [
    bytes([number % 2, 1]) + as_json(each) for number, each in enumerate(TOLD)
]
DATE_SEEDS = [
    b"Fri, 20 Nov 2026 11:58:00 +0000", b"120", b"Fri, 31 Dec 9999 23:59:59 -2359", b"Fri, 20-Nov-26 11:58:00 GMT", b"",
    b"20 Nov 2026", b"999999999", b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994", b"\xff",
]  # fmt: skip
DATE_TOKENS = ["Fri,", "Nov", "+0000", "-2359", "EST", "GMT", ":", "am", "(", "0000", "9999"]


@cache
def _der():
    """Return a certificate's bytes, whose insides are changed."""
    with StandIn() as standin:
        signed.Amazon(standin)
        pem = next(body for _, body in standin.files.values() if body.startswith(BEGIN))
    return base64.b64decode(pem.removeprefix(BEGIN).partition(b"-----")[0])


def check_certificate(data):
    drawn = Drawn(data)
    pem = drawn.rest() if drawn.number(2) == 0 else BEGIN + base64.encodebytes(edited(_der(), drawn)) + END
    with warnings.catch_warnings():
        # The library warns of what it will refuse one day.
        warnings.simplefilter("ignore")
        read = outcome(lambda: certificates._read(pem), ProviderTrouble)
    if isinstance(read, ProviderTrouble):
        assert read.code == "broken_answer"
        return
    assert read.key.key_size >= 2048
    assert read.valid_from.utcoffset() == read.valid_until.utcoffset() == timedelta(0)


@cache
def _providers():
    """The providers' stand-in and the way out to it, for as long as the process lives."""
    standin = ExitStack().enter_context(StandIn())
    return standin, Outgoing(test_url=standin.url)


def check_price(data):
    """Whatever a provider answers is a price that a message can have, none yet, or a trouble."""
    drawn, (standin, way) = Drawn(data), _providers()
    status = drawn.one_of([200, 404])
    body = as_json(_changed(drawn)) if drawn.number(2) == 0 else drawn.rest()
    for path in ("/v2/detail_records", f"/v2/messages/{signed.SMS_UUID}"):
        standin.serve("api.telnyx.com", path, body, status)
    account = signed.TWILIO_ACCOUNT["accountSid"]
    standin.serve("api.twilio.com", f"/2010-04-01/Accounts/{account}/Messages/{signed.SMS_SID}.json", body, status)
    standin.requests.clear()
    _check_price(telnyx, signed.TELNYX_ACCOUNT, signed.SMS_UUID, way)
    _check_price(twilio, signed.TWILIO_ACCOUNT, signed.SMS_SID, way)


def _changed(drawn):
    value = drawn.one_of(TOLD)
    for _ in range(drawn.number(3)):
        value = altered(value, drawn, OPTIONS)
    return value


def _check_price(provider, account, message_id, way):
    price = outcome(lambda: provider.price(account, "SMS", message_id, way), ProviderTrouble, MessageTrouble)
    if isinstance(price, ProviderTrouble | MessageTrouble):
        assert 1 <= len(price.code) <= 128
    else:
        assert price is None or 0 <= price <= MOST_COST


def check_date(data):
    """A date of a callback or of Retry-After is read, or not believed."""
    text = data.decode("latin-1")
    pause = http_client._retry_after(text)
    assert pause is None or timedelta(0) < pause <= http_client.LONGEST_RETRY_AFTER
    if text.isascii() and text.isdigit() and len(text) < 10:
        assert (pause or timedelta(0)) == min(timedelta(seconds=int(text)), http_client.LONGEST_RETRY_AFTER)
    told = twilio._timestamp({"Timestamp": text}, signed.NOON)
    assert told is None or (told <= signed.NOON and told.utcoffset() == timedelta(0))
    with suppress(ValueError, TypeError, OverflowError):
        instant = email.utils.parsedate_to_datetime(text)
        instant = instant.replace(tzinfo=instant.tzinfo or UTC).astimezone(UTC)
        assert told == min(instant, signed.NOON)
