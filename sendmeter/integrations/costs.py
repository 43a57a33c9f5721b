"""Costs as providers write them: decimal strings or JSON numbers, with their currency beside them."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from sendmeter.domain.money import NANO_USD_PER_USD, nano_usd
from sendmeter.domain.receipts import Receipt
from sendmeter.integrations.errors import MessageTrouble

# What the contract lets an event cost: more than any message or call does.
_MOST_NANO_USD = 1_000_000 * NANO_USD_PER_USD - 1


def check_currency(currency: object) -> None:
    """Raise MessageTrouble where a currency is not the US dollar: a bill's rate of exchange is not known."""
    if not isinstance(currency, str) or currency.upper() != "USD":
        raise MessageTrouble("unsupported_currency", "The cost is told in another currency than USD.")


def read_cost(amount: object) -> int:
    """Read an amount of USD, in nano-USD.

    Raises MessageTrouble if it is negative, finer than nine decimals, no number, or more than any message costs.
    """
    if isinstance(amount, bool) or not isinstance(amount, str | int | Decimal):
        raise MessageTrouble("unreadable_cost", "The cost is neither a decimal string nor a number.")
    try:
        cost = nano_usd(amount)
    except ValueError as error:
        raise MessageTrouble("unreadable_cost", f"The cost {error}.") from None
    return check_bound(cost)


def check_bound(cost: int) -> int:
    """Return a cost in nano-USD that a message can have.

    Raises MessageTrouble if it is more.
    """
    if cost > _MOST_NANO_USD:
        raise MessageTrouble("unreadable_cost", "The cost is more than a message can cost.")
    return cost


def costing(receipt: Receipt, read: Callable[[], int | None]) -> Receipt:
    """Return a receipt with the cost that is read.

    Raises MessageTrouble, which has the receipt without it: that the message was sent is told all the same.
    """
    try:
        return replace(receipt, cost_nano_usd=read())
    except MessageTrouble as trouble:
        trouble.receipt = receipt
        raise


def read_charge(amount: str) -> int:
    """Read an amount of USD that is negative as a charge, in nano-USD; zero has any sign.

    Raises MessageTrouble as `read_cost` does, and where it is a credit.
    """
    cost = read_cost(amount.removeprefix("-"))
    if cost and not amount.startswith("-"):
        raise MessageTrouble("unexpected_price", "The price is a credit; a charge has a minus sign.")
    return cost
