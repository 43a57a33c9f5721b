"""Deliveries as the providers sign them, with keys of our own."""

import base64
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from twilio.request_validator import RequestValidator

from sendmeter.domain.instants import instant_text
from sendmeter.integrations.delivery import Delivery
from tests.live import NOON

URL = "https://meter.example/organization/providers/{}/events/ep_" + 39 * "0"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
TELNYX_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TELNYX_ACCOUNT = {
    "publicKey": base64.b64encode(TELNYX_KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode(),
    "apiKey": "KEY0123456789ABCDEF_hush",
}
SMS_UUID = "40385f64-5717-4562-b3fc-2c963f66afa6"
LEG_UUID = "428c31b6-7af4-4bcb-b7f5-5013ef9657c1"
TWILIO_ACCOUNT = {"accountSid": "AC" + 32 * "a", "authToken": "12345hush67890"}
SMS_SID, CALL_SID = "SM" + 32 * "b", "CA" + 32 * "c"
TOPIC = "arn:aws:sns:us-east-1:123456789012:ses-events"
SES_ACCOUNT = {"topicArn": TOPIC}
SNS_HOST = "sns.us-east-1.amazonaws.com"
SES_ID = "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000"


def telnyx_sms(event_type="message.finalized", **payload):
    """An event of an SMS, as Telnyx documents it; without `payload`'s changes it costs 0.0051 USD."""
    told = {
        "id": SMS_UUID,
        "record_type": "message",
        "direction": "outbound",
        "type": "SMS",
        "to": [{"phone_number": "+13125550001", "status": "delivered", "carrier": "", "line_type": ""}],
        "text": "Hé! 👋",
        "parts": 1,
        "tags": [],
        "cost": {"amount": "0.0051", "currency": "USD"},
        "cost_breakdown": None,
        "sent_at": "2026-11-20T11:59:00.123+00:00",
        "completed_at": None,
        "errors": [],
    }
    return telnyx_event(event_type, told | payload)


def telnyx_call(**payload):
    """A `call.cost`, as Telnyx documents it; it costs 0.0165 USD."""
    part = {"billed_duration_secs": 60, "call_part": "sip-trunking", "cost": "0.0165", "currency": "USD", "rate": "1"}
    told = {"call_leg_id": LEG_UUID, "status": "success", "total_cost": "0.0165", "cost_parts": [part]}
    return telnyx_event("call.cost", told | payload)


def telnyx_event(event_type, payload):
    data = {"record_type": "event", "id": "b301ed3f-1490-491f-995f-6e64e69674d4", "event_type": event_type}
    data |= {"occurred_at": "2026-11-20T11:59:30.000+00:00", "payload": payload}
    return {"data": data, "meta": {"attempt": 1, "delivered_to": URL.format("telnyx")}}


def telnyx(event, *, at=NOON, key=TELNYX_KEY):
    """Sign an event, or any bytes, as Telnyx does."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    told_at = str(int(at.timestamp()))
    signature = base64.b64encode(key.sign(f"{told_at}|".encode() + body)).decode()
    headers = {"telnyx-timestamp": told_at, "telnyx-signature-ed25519": signature, "content-type": JSON}
    return Delivery(URL.format("telnyx"), headers, JSON, body)


def twilio_sms(**fields):
    told = {"AccountSid": TWILIO_ACCOUNT["accountSid"], "ApiVersion": "2010-04-01", "ErrorCode": ""}
    told |= {"From": "+15005550006", "MessageSid": SMS_SID, "MessageStatus": "delivered", "SmsSid": SMS_SID}
    return told | {"SmsStatus": "delivered", "To": "+13125550001 é&="} | fields


def twilio_call(**fields):
    told = {"AccountSid": TWILIO_ACCOUNT["accountSid"], "CallSid": CALL_SID, "CallStatus": "completed"}
    return told | {"Direction": "outbound-api", "Timestamp": "Fri, 20 Nov 2026 11:58:00 +0000"} | fields


def twilio(fields, *, url=None, signed_url=None, token=TWILIO_ACCOUNT["authToken"]):
    """Sign a form with Twilio's own library, for the URL or (`signed_url`) for another."""
    url = url or URL.format("twilio")
    signature = RequestValidator(token).compute_signature(signed_url or url, fields)
    return Delivery(url, {"x-twilio-signature": signature}, FORM, urlencode(fields).encode())


def twilio_json(fields):
    """Sign JSON as Twilio does: the URL with the body's hash in its query."""
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    digest = hashlib.sha256(body).hexdigest()
    url = URL.format("twilio")
    signature = RequestValidator(TWILIO_ACCOUNT["authToken"]).compute_signature(f"{url}?bodySHA256={digest}", {})
    return Delivery(url, {"x-twilio-signature": signature}, JSON, body, digest)


def changed_header(delivery, name, value):
    """The same delivery with another header, or (None) without it: one that is given twice is not there either."""
    headers = {**delivery.headers, name: value}
    return replace(delivery, headers={each: text for each, text in headers.items() if text is not None})


def flipped(raw):
    """The same bytes with one changed, for each of them."""
    for place in range(len(raw)):
        yield raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


class Amazon:
    """Signs as Amazon SNS does, with a certificate that the stand-in serves."""

    _authority = generate_private_key(65537, 2048)
    _key = generate_private_key(65537, 2048)

    def __init__(self, standin, *, days=(-30, 30), key=None, path="/SimpleNotificationService-1f.pem", now=NOON):
        self.key = key or self._key
        self.path = path
        self.url = f"https://{SNS_HOST}{path}"
        standin.serve(SNS_HOST, path, self._certificate(*(now + timedelta(days=each) for each in days)))
        standin.serve(SNS_HOST, "/", b"<ConfirmSubscriptionResponse/>")

    def _certificate(self, begins, ends):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of a test")])
        made = x509.CertificateBuilder(issuer, subject, self.key.public_key(), x509.random_serial_number())
        made = made.not_valid_before(begins).not_valid_after(ends)
        return made.sign(self._authority, SHA256()).public_bytes(Encoding.PEM)

    def notification(self, message, *, version="1", **fields):
        """A notification; `fields` are changed before it is signed."""
        text = message if isinstance(message, str) else json.dumps(message)
        told = {"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": TOPIC}
        told |= {"Subject": "Amazon SES Email Event Notification", "Message": text, "Timestamp": instant_text(NOON)}
        return self.signed({name: text for name, text in (told | fields).items() if text is not None}, version)

    def confirmation(self, **fields):
        link = f"https://{SNS_HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=hush2336412f37fb687f5d51e6e241"
        told = {"Type": "SubscriptionConfirmation", "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b"}
        told |= {"Token": "hush2336412f37fb687f5d51e6e241", "TopicArn": TOPIC, "Message": "You have chosen to …"}
        return self.signed(told | {"SubscribeURL": link, "Timestamp": instant_text(NOON)} | fields)

    def signed(self, fields, version="1"):
        if fields.get("Type") == "Notification":
            names = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
        else:
            names = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
        text = "".join(f"{name}\n{fields[name]}\n" for name in names if name in fields)
        signature = self.key.sign(text.encode(), PKCS1v15(), SHA1() if version == "1" else SHA256())
        sealed = {"SignatureVersion": version, "Signature": base64.b64encode(signature).decode()}
        return fields | sealed | {"SigningCertURL": self.url, "UnsubscribeURL": f"https://{SNS_HOST}/?Action=Unsub"}


def sns(fields):
    """Deliver what SNS signed, as it does: JSON that says it is text."""
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return Delivery(URL.format("ses"), {"content-type": "text/plain; charset=UTF-8"}, "text/plain", body)


def ses_event(kind="Delivery", *, named="eventType", **mail):
    """What SES tells of an email to two recipients, as it documents it."""
    told = {"timestamp": "2026-11-20T11:57:00.000Z", "messageId": SES_ID, "source": "sender@example.com"}
    told |= {"destination": ["one@example.com", "two@example.com"], "tags": {"ses:configuration-set": ["all"]}}
    return {named: kind, "mail": told | mail, kind.lower(): {"timestamp": "2026-11-20T11:57:09.000Z"}}
