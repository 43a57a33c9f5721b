"""Money: integers of nano-USD inside, decimal texts and JSON numbers at the edge, never a binary float between.

1 USD is 1,000,000,000 nano-USD. Providers bill in fractions of a cent (0.0002375 USD), which no float holds exactly.
"""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation

NANO_USD_PER_USD = 1_000_000_000
_NANO = Decimal("0.000000001")
# Decimal itself would also read "1_000", " 1 " and the digits of other scripts.
_TEXT = re.compile(r"[0-9]+(\.[0-9]+)?")
# Raises where a digit would be lost; 40 digits are more than any amount that a counter can hold.
_EXACT = Context(prec=40, traps=[Inexact, InvalidOperation])


def nano_usd(value: str | int | Decimal) -> int:
    """Read an amount of USD, exactly.

    Raises ValueError if it is no finite number, is negative, or has more than nine decimals.
    """
    if isinstance(value, str) and not _TEXT.fullmatch(value):
        raise ValueError("is not a decimal number of USD")
    try:
        nanos = Decimal(value).quantize(_NANO, context=_EXACT)
    except Inexact:
        raise ValueError("has more than nine decimals") from None
    except InvalidOperation:
        raise ValueError("is not a decimal number of USD") from None
    if not nanos.is_finite() or nanos < 0:
        raise ValueError("is not an amount of zero or more")
    return int(nanos.scaleb(9, context=_EXACT))


def usd_text(amount: int) -> str:
    """Write nano-USD as the shortest decimal number of USD that reads back to the same nano-USD."""
    whole, part = divmod(abs(amount), NANO_USD_PER_USD)
    text = f"{whole}.{part:09d}".rstrip("0").rstrip(".")
    return f"-{text}" if amount < 0 else text


def usd(amount: int) -> Decimal:
    """Turn nano-USD into USD, exactly."""
    return Decimal(usd_text(amount))
