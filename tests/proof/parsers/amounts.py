"""Money: what is read is the number that stands there, to the last of nine decimals, and nothing else is read."""

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

from sendmeter.domain.money import nano_usd, usd, usd_text
from sendmeter.errors import InvalidRequest
from sendmeter.integrations.costs import read_charge, read_cost
from sendmeter.integrations.errors import MessageTrouble
from sendmeter.web.body import read_json

# An amount of more digits than this is more than any counter can hold.
MOST_DIGITS = 40
MOST_COST = 10**15 - 1
DIGITS = frozenset("0123456789")

SEEDS = [
    b"0.0002375", b"1", b"999999.999999999", b"0.0000000001", b"1e-9", b"12E3", b"-0", b"-0.0079", b"00.10", b"1_0",
    b"0" * 50 + b"1.5", b"9" * 31, b"9" * 32, b"1." + b"0" * 60, b".5", b"5.", b"1e999999999", b"1e-999999999",
    "\u0661".encode(), b"NaN", b"Infinity",
]  # fmt: skip
TOKENS = ["e", "E", ".", "-", "+", "000000000", "0.000000001", "e-9", "e+", "NaN", "Infinity", "1_000", "\u0661"]


def check(data):
    text = data.decode(errors="surrogateescape")
    expected = plain(text)
    assert read(text) == expected
    with suppress(InvalidRequest):
        number = read_json(data)
        if isinstance(number, Decimal | int) and not isinstance(number, bool):
            assert read(number) == numeric(Decimal(number))
            _check_told(number, numeric(Decimal(number)))
    _check_told(text, expected)
    if expected is not None:
        _check_written(expected)
    _check_written(int.from_bytes(data[:16]))


def read(value):
    try:
        return nano_usd(value)
    except ValueError:
        return None


def plain(text):
    """Read a decimal text by hand: digits, and perhaps a point with digits behind it."""
    whole, point, part = text.partition(".")
    if not whole or set(whole + part) - DIGITS or (point and not part) or part[9:].strip("0"):
        return None
    digits = (whole + part[:9].ljust(9, "0")).lstrip("0")
    return int(digits or "0") if len(digits) <= MOST_DIGITS else None


def numeric(number):
    """Read a number by hand, from its digits and its exponent."""
    sign, digits, exponent = number.as_tuple()
    text, shift = "".join(map(str, digits)).lstrip("0"), exponent + 9
    if not text:
        return 0
    if sign or len(text) + shift > MOST_DIGITS or (shift < 0 and text[shift:].strip("0")):
        return None
    # What is shifted further than it is long is less than a nano-USD, and no zero.
    return int(text) * 10**shift if shift >= 0 else int(text[:shift]) if len(text) > -shift else None


def _check_told(amount, expected):
    """What a provider tells is read as the same number, where a message can cost that, and is never negative."""
    sound = expected if expected is not None and expected <= MOST_COST else None
    assert _told(read_cost, amount) == sound
    if isinstance(amount, str):
        assert _told(read_charge, f"-{amount}") == sound
        assert _told(read_charge, amount) in (None, 0, plain(amount.removeprefix("-")))


def _told(reads, amount):
    try:
        return reads(amount)
    except MessageTrouble:
        return None


def _check_written(nanos):
    text = usd_text(nanos)
    assert nano_usd(text) == nano_usd(usd(nanos)) == nanos
    assert "." not in text or not text.endswith(("0", "."))
    assert Fraction(text) * 10**9 == nanos
    assert usd_text(-nanos) == (f"-{text}" if nanos else text)
