"""Only what Amazon SNS signed for our topic is taken, and an email counts once whatever is told of it."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendmeter.domain.instants import instant_text
from sendmeter.domain.receipts import Receipt
from sendmeter.errors import InvalidRequest, Unauthorized
from sendmeter.integrations import ses
from sendmeter.integrations.certificates import FAILURE_KEPT
from sendmeter.integrations.errors import ProviderTrouble
from sendmeter.integrations.http_client import Outgoing
from tests.integrations.arbitrary_json import JSONS
from tests.integrations.signed_deliveries import SES_ACCOUNT, SES_ID, SNS_HOST, TOPIC, Amazon, flipped, ses_event, sns
from tests.live import NOON

SENT_AT = datetime(2026, 11, 20, 11, 57, tzinfo=UTC)
RECEIPT = Receipt(SES_ID, "EMAIL", SENT_AT, quantity=2, sent_at=SENT_AT)
SIGNED = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
PROVEN = settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def amazon(standin):
    return Amazon(standin)


@pytest.fixture
def taken(outgoing):
    def take(fields, *, account=SES_ACCOUNT, now=NOON):
        return ses.receive(sns(fields), account, now, outgoing)

    return take


@pytest.fixture
def refused(taken):
    def refuse(fields, **options):
        with pytest.raises(Unauthorized) as error:
            taken(fields, **options)
        assert error.value.fix.startswith("Check that topicArn")
        return error.value.message

    return refuse


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", ["Amazon SES", None])
@pytest.mark.parametrize("named", ["eventType", "notificationType"])
def test_an_email_is_read_with_its_recipients(amazon, taken, version, subject, named):
    assert taken(amazon.notification(ses_event(named=named), version=version, Subject=subject)) == RECEIPT


@pytest.mark.parametrize("kind", ["Send", "Delivery", "Bounce", "Complaint", "Open", "Click", "DeliveryDelay", "New"])
def test_all_that_is_told_of_an_email_is_the_same_receipt(amazon, taken, kind):
    assert taken(amazon.notification(ses_event(kind))) == RECEIPT


@pytest.mark.parametrize(
    "message",
    [
        ses_event("Reject"),
        ses_event("Rendering Failure"),
        "Successfully validated SNS topic for Amazon SES event publishing.",
        {"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have successfully subscribed …"},
        {"eventType": 7, "mail": {}},
        {"mail": {}},
        [],
        "[" * 5000,
        "",
    ],
)
def test_what_was_not_sent_or_is_not_of_ses_is_passed_over(amazon, taken, message):
    assert taken(amazon.notification(message)) is None


@pytest.mark.parametrize(
    ("mail", "pointer"),
    [
        ({"messageId": None}, "messageId"),
        ({"messageId": "<a@b>"}, "messageId"),
        ({"timestamp": "2026-11-20"}, "timestamp"),
        ({"timestamp": 7}, "timestamp"),
        ({"destination": "one@example.com"}, "destination"),
    ],
)
def test_mail_that_is_malformed_is_refused_with_its_place(amazon, taken, mail, pointer):
    with pytest.raises(InvalidRequest) as error:
        taken(amazon.notification(ses_event(**mail)))
    assert [fault.pointer for fault in error.value.faults] == [f"/Message/mail/{pointer}"]


def test_an_email_to_nobody_is_one(amazon, taken):
    assert taken(amazon.notification(ses_event(destination=[]))).quantity == 1


@PROVEN
@given(message=JSONS, mail=JSONS)
def test_no_message_breaks_the_receiver(amazon, taken, message, mail):
    assert taken(amazon.notification(json.dumps(message))) is None
    try:
        assert taken(amazon.notification({"eventType": "Send", "mail": mail})) is None
    except InvalidRequest:
        return


@PROVEN
@given(body=st.binary(max_size=100) | JSONS.map(lambda value: json.dumps(value).encode()))
def test_nothing_unsigned_breaks_the_receiver(refused, body):
    refused(body)


def test_a_subscription_is_confirmed(standin, amazon, taken):
    assert taken(amazon.confirmation()) is None
    confirmed = standin.requests[-1]
    assert (confirmed.host, confirmed.path, confirmed.query["Action"]) == (SNS_HOST, "/", ["ConfirmSubscription"])
    assert confirmed.query["Token"] == ["hush2336412f37fb687f5d51e6e241"]


def test_a_subscription_that_amazon_does_not_confirm_is_trouble(standin, amazon, taken):
    standin.serve(SNS_HOST, "/", b"<ErrorResponse/>", status=403)
    with pytest.raises(ProviderTrouble) as trouble:
        taken(amazon.confirmation())
    assert (trouble.value.code, trouble.value.message) == (
        "http_403",
        "Amazon SNS does not allow what was asked (403).",
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.us-east-1.amazonaws.com.evil.example/?Action=ConfirmSubscription",
        "https://user@sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
        "https://sns.us-east-1.amazonaws.com:444/?Action=ConfirmSubscription",
        "http://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
        "https://sns.us-east-1.amazonaws.com/?Action=DeleteTopic",
        "https://sns.us-east-1.amazonaws.com/",
        "https://sns.us-east-1.amazonaws.com/ ?Action=ConfirmSubscription",
        "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription#",
        "https://sns.us-east-1.amazonaws.com/\\?Action=ConfirmSubscription",
        "https://[sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
        "",
    ],
)
def test_no_other_url_than_a_confirmation_at_amazon_is_asked_for(standin, amazon, taken, url):
    with pytest.raises(InvalidRequest) as error:
        taken(amazon.confirmation(SubscribeURL=url))
    assert [fault.pointer for fault in error.value.faults] == ["/SubscribeURL"]
    assert [request.path for request in standin.requests] == [amazon.path]


def test_the_end_of_a_subscription_is_passed_over(standin, amazon, taken):
    assert taken(amazon.confirmation(Type="UnsubscribeConfirmation")) is None
    assert len(standin.requests) == 1


@pytest.mark.parametrize("name", SIGNED)
def test_with_any_byte_of_a_signed_field_changed_the_signature_is_refused(amazon, refused, name):
    genuine = amazon.notification(ses_event(tags={"é": ["👋"]}))
    for value in flipped(genuine[name].encode()):
        refused(genuine | {name: value.decode(errors="replace")})


@pytest.mark.parametrize("name", ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"])
def test_with_any_byte_of_a_confirmation_changed_nothing_is_confirmed(standin, amazon, refused, name):
    genuine = amazon.confirmation()
    for value in flipped(genuine[name].encode()):
        refused(genuine | {name: value.decode(errors="replace")})
    assert {request.path for request in standin.requests} <= {amazon.path}


def test_with_any_character_of_the_signature_changed_it_is_refused(amazon, refused):
    genuine = amazon.notification(ses_event())
    for value in flipped(genuine["Signature"].encode()):
        refused(genuine | {"Signature": value.decode("latin-1")})


def test_with_any_byte_of_the_body_changed_it_is_refused_or_means_the_same(amazon, outgoing):
    body = sns(amazon.notification(ses_event())).body
    passed = 0
    for changed in flipped(body):
        try:
            assert ses.receive(sns(changed), SES_ACCOUNT, NOON, outgoing) == RECEIPT
            passed += 1
        except Unauthorized:
            continue
        except ProviderTrouble:
            pass  # another certificate of Amazon's, which there is not
    # White space between fields, and UnsubscribeURL, are not signed.
    assert passed < 150


def test_a_subject_that_is_added_or_taken_away_is_refused(amazon, refused):
    genuine = amazon.notification(ses_event(), Subject=None)
    refused(genuine | {"Subject": "Another"})
    signed = amazon.notification(ses_event())
    refused({name: value for name, value in signed.items() if name != "Subject"})
    refused(signed | {"Subject": None})


@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp", "TopicArn", "Type", "Signature"])
@pytest.mark.parametrize("value", [None, 7, [], {}, True, "\ud800", "", "é"])
def test_a_field_that_is_missing_or_malformed_is_refused(amazon, refused, name, value):
    genuine = amazon.notification(ses_event())
    refused(genuine | {name: value})
    refused({each: text for each, text in genuine.items() if each != name})


@pytest.mark.parametrize("version", ["0", "3", "", "11"])
def test_another_version_is_refused(amazon, refused, version):
    refused(amazon.notification(ses_event()) | {"SignatureVersion": version})


def test_the_version_is_which_hash_was_signed(amazon, refused):
    refused(amazon.notification(ses_event(), version="1") | {"SignatureVersion": "2"})


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-west-2.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com.cn/a.pem",
        "https://sns.us-east-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com@evil.example/a.pem",
        "https://user:word@sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com:8443/a.pem",
        "https://sns.us-east-1.amazonaws.com/a.pem?b",
        "https://sns.us-east-1.amazonaws.com/a.pem#b",
        "https://sns.us-east-1.amazonaws.com/a/../b.pem",
        "https://sns.us-east-1.amazonaws.com/a.txt",
        "https://sns.us-east-1.amazonaws.com/a.pem\n",
        "https://SNS.us-east-1.amazonaws.com/a.pem",
        "https://snsXus-east-1.amazonaws.com/a.pem",
        "file:///etc/passwd.pem",
        "",
    ],
)
def test_no_other_server_is_asked_for_a_certificate(standin, amazon, refused, url):
    assert "certificate" in refused(amazon.notification(ses_event()) | {"SigningCertURL": url})
    assert standin.requests == []


def test_the_certificate_of_china_is_at_its_own_host(standin, amazon, taken):
    topic = TOPIC.replace(":aws:", ":aws-cn:").replace("us-east-1", "cn-north-1")
    url = amazon.url.replace(SNS_HOST, "sns.cn-north-1.amazonaws.com.cn")
    standin.serve("sns.cn-north-1.amazonaws.com.cn", amazon.path, standin.files[SNS_HOST, amazon.path][1])
    fields = amazon.notification(ses_event(), TopicArn=topic) | {"SigningCertURL": url}
    assert taken(fields, account={"topicArn": topic}) == RECEIPT


def test_another_topic_is_refused(standin, amazon, refused):
    assert "another topic" in refused(amazon.notification(ses_event(), TopicArn=f"{TOPIC}2"))
    refused(amazon.notification(ses_event(), TopicArn="x"), account={"topicArn": "x"})
    assert standin.requests == []


@pytest.mark.parametrize("minutes", [65.1, -5.1, 60 * 24 * 365])
def test_a_delivery_that_is_too_old_or_too_early_is_refused(amazon, refused, minutes):
    told = amazon.notification(ses_event(), Timestamp=instant_text(NOON - timedelta(minutes=minutes)))
    assert "older than an hour" in refused(told)


@pytest.mark.parametrize("minutes", [65, -5])
def test_a_delivery_that_was_tried_for_an_hour_is_taken(amazon, taken, minutes):
    assert taken(amazon.notification(ses_event(), Timestamp=instant_text(NOON - timedelta(minutes=minutes))))


@pytest.mark.parametrize("days", [(-30, -1), (1, 30)])
def test_a_certificate_that_is_not_valid_now_is_refused(standin, refused, days):
    assert refused(Amazon(standin, days=days).notification(ses_event())) == "The certificate is not valid now."


def test_another_key_is_refused(amazon, refused, standin):
    other = Amazon(standin, key=generate_private_key(65537, 2048), path="/other.pem")
    assert refused(other.notification(ses_event()) | {"SigningCertURL": amazon.url}) == "The signature is not Amazon's."


def test_a_certificate_is_fetched_once_while_it_is_valid(standin, amazon, taken):
    for days in (0, 10, 30):
        now = NOON + timedelta(days=days)
        taken(amazon.notification(ses_event(), Timestamp=instant_text(now)), now=now)
    assert len(standin.requests) == 1


def test_a_certificate_that_is_renewed_in_its_place_is_taken(standin, amazon, taken, refused):
    now = NOON + timedelta(days=31)
    fields = amazon.notification(ses_event())
    taken(fields)
    later = amazon.notification(ses_event(), Timestamp=instant_text(now))
    assert refused(later, now=now) == "The certificate is not valid now."
    Amazon(standin, days=(0, 60))
    refused(later, now=now)
    now += FAILURE_KEPT + timedelta(seconds=1)
    assert taken(later, now=now) == RECEIPT
    assert len(standin.requests) == 3


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"<Error/>", 403, "http_403"),
        (b"", 200, "broken_answer"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 200, "broken_answer"),
        (b"x" * 300_000, 200, "too_large"),
    ],
)
def test_what_is_no_certificate_is_trouble_and_not_asked_for_with_each_delivery(
    standin, amazon, taken, body, status, code
):
    standin.serve(SNS_HOST, amazon.path, body, status=status)
    for _ in range(5):
        with pytest.raises(ProviderTrouble) as trouble:
            taken(amazon.notification(ses_event()))
        assert trouble.value.code == code
    assert len(standin.requests) == 1
    Amazon(standin)
    assert taken(amazon.notification(ses_event()), now=NOON + FAILURE_KEPT + timedelta(seconds=1)) == RECEIPT


def test_a_certificate_of_a_version_that_there_is_not_is_trouble_and_not_a_failure(standin, amazon, taken):
    _, pem = standin.files[SNS_HOST, amazon.path]
    begin, *lines, end = pem.splitlines()
    der = base64.b64decode(b"".join(lines)).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1)
    standin.serve(SNS_HOST, amazon.path, b"\n".join([begin, base64.b64encode(der), end]))
    with pytest.raises(ProviderTrouble, match="is none") as trouble:
        taken(amazon.notification(ses_event()))
    assert trouble.value.code == "broken_answer"


@pytest.mark.parametrize("key", [elliptic(SECP256R1()), generate_private_key(65537, 1024)])
def test_a_certificate_with_a_weak_or_another_key_is_trouble(standin, amazon, taken, key):
    fields = amazon.notification(ses_event())
    Amazon(standin, key=key)
    with pytest.raises(ProviderTrouble, match="no RSA key of 2048 bits"):
        taken(fields)


def test_many_names_of_certificates_do_not_pile_up(standin, amazon, taken):
    fields = amazon.notification(ses_event())
    for number in range(70):
        with pytest.raises(ProviderTrouble):
            taken(fields | {"SigningCertURL": f"https://{SNS_HOST}/{number}.pem"})
    with pytest.raises(ProviderTrouble):
        taken(fields | {"SigningCertURL": f"https://{SNS_HOST}/0.pem"})
    assert len(standin.requests) == 71


def test_one_way_out_does_not_believe_anothers_certificates(standin, amazon, taken):
    taken(amazon.notification(ses_event()))
    other = Outgoing(test_url="http://127.0.0.1:9", timeout_seconds=0.2)
    with pytest.raises(ProviderTrouble) as trouble:
        ses.receive(sns(amazon.notification(ses_event())), SES_ACCOUNT, NOON, other)
    assert trouble.value.code == "unreachable"
    other.close()


def test_a_signature_by_the_public_key_alone_is_none(amazon, refused):
    raw = amazon.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for value in (base64.b64encode(raw[:256]).decode(), base64.b64encode(bytes(256)).decode(), "AAAA"):
        refused(amazon.notification(ses_event()) | {"Signature": value})


def test_there_is_no_price():
    assert ses.price(SES_ACCOUNT, "EMAIL", SES_ID, None) is None
