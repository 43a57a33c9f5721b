"""Providers: what they send, how it is signed, and how a price is asked for. One module for each.

Nothing here knows the store: a module is given what was received, or asks, and gives values of the domain.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

from sendmeter.domain.receipts import Receipt
from sendmeter.integrations import ses, telnyx, twilio
from sendmeter.integrations.delivery import Delivery
from sendmeter.integrations.http_client import Outgoing

__all__ = ["KNOWN", "Provider", "ses", "telnyx", "twilio"]


class Provider(Protocol):
    """What each module of a provider has. `account` has settings and secrets, by their names in the contract."""

    IDS: Mapping[str, re.Pattern[str]]
    """Of each channel whose prices can be asked for, what the provider's ids of its messages look like."""

    def receive(
        self, delivery: Delivery, account: Mapping[str, str], now: datetime, outgoing: Outgoing
    ) -> Receipt | None:
        """Verify what was delivered, over its raw bytes, and read it; None where it tells of no message of ours.

        Raises Unauthorized if the signature is not the provider's or is too old, InvalidRequest where what is signed
        is not what the provider sends, MessageTrouble where it tells a cost that cannot be counted, and ProviderTrouble
        where the provider has to be asked first (for a certificate) and does not answer.
        """
        ...

    def price(self, account: Mapping[str, str], channel: str, message_id: str, outgoing: Outgoing) -> int | None:
        """Ask what a message costs, in nano-USD; None where the provider does not know yet.

        Raises ProviderTrouble if it does not answer as it should, and MessageTrouble where it does not know that
        message, or tells a cost that cannot be counted.
        """
        ...


KNOWN: Final[Mapping[str, Provider]] = {"telnyx": telnyx, "twilio": twilio, "ses": ses}
