"""What goes wrong with providers, in our own words and with their own codes. Nothing secret goes in."""

from datetime import timedelta

from sendmeter.domain.receipts import Receipt


class ProviderTrouble(Exception):  # noqa: N818 - named for what it tells
    """A provider does not answer, or not as it should: it is left alone for a while.

    `code` is the provider's own (`20003`) or, where it gave none, ours (`timeout`, `unreachable`, `http_503`, …).
    `retry_after` is how long it asked to be left alone.
    """

    def __init__(self, code: str, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.code = code[:128] or "unknown"
        self.message = message
        self.retry_after = retry_after


class MessageTrouble(Exception):  # noqa: N818 - named for what it tells
    """A provider answers, but does not know that message, or tells a cost of it that cannot be counted.

    `receipt` is what was delivered, if it was, without the cost.
    """

    receipt: Receipt | None = None

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code[:128] or "unknown"
        self.message = message
