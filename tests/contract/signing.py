"""Reports of a Telnyx account of our own, signed as Telnyx signs them."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ACCOUNT = Ed25519PrivateKey.generate()
PUBLIC_KEY = base64.b64encode(ACCOUNT.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
SETUP = {"provider": "telnyx", "publicKey": PUBLIC_KEY, "apiKey": "KEY_of_the_tests"}


def report(message_id, at, amount="0.0051"):
    """Write what Telnyx reports of an SMS that was delivered."""
    cost = {"amount": amount, "currency": "USD"}
    payload = {
        "id": message_id,
        "record_type": "message",
        "direction": "outbound",
        "type": "SMS",
        "to": [{"phone_number": "+15555550100", "status": "delivered", "carrier": "", "line_type": "Wireless"}],
        "parts": 1,
        "cost": cost,
        "sent_at": at.isoformat(),
        "completed_at": at.isoformat(),
        "errors": [],
    }
    kind = {"record_type": "event", "event_type": "message.finalized", "id": f"of-{message_id}"}
    return json.dumps({"data": {**kind, "occurred_at": at.isoformat(), "payload": payload}}).encode()


def signed(body, at):
    """Return the headers with which Telnyx sends a body."""
    timestamp = str(int(at.timestamp()))
    signature = ACCOUNT.sign(timestamp.encode() + b"|" + body)
    return {
        "content-type": "application/json",
        "telnyx-timestamp": timestamp,
        "telnyx-signature-ed25519": base64.b64encode(signature).decode(),
    }
