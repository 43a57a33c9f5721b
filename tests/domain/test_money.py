"""Money goes in and out without losing or inventing a nano-USD."""

import json
import re
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendmeter.domain.money import NANO_USD_PER_USD, nano_usd, usd, usd_text

PROVEN = settings(max_examples=300, derandomize=True, deadline=None)
AMOUNTS = st.integers(0, 2**63 - 1)
DIGITS = st.text("0123456789", min_size=1, max_size=9)


@PROVEN
@given(AMOUNTS)
@example(0)
@example(1)
@example(2**63 - 1)
@example(237_500)
def test_every_amount_reads_back_to_itself(amount):
    assert nano_usd(usd_text(amount)) == amount
    assert nano_usd(usd(amount)) == amount
    assert nano_usd(json.loads(usd_text(amount), parse_float=Decimal)) == amount


@PROVEN
@given(DIGITS, DIGITS)
def test_nine_decimals_are_read_digit_by_digit(whole, part):
    amount = int(whole) * 1_000_000_000 + int(part.ljust(9, "0"))
    assert nano_usd(f"{whole}.{part}") == amount
    assert nano_usd(Decimal(f"{whole}.{part}")) == amount


@PROVEN
@given(AMOUNTS)
def test_the_text_is_the_shortest_that_reads_back(amount):
    assert re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]{0,8}[1-9])?", usd_text(amount))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (237_500, "0.0002375"),
        (NANO_USD_PER_USD, "1"),
        (100 * NANO_USD_PER_USD, "100"),
        (131_403_237_500, "131.4032375"),
        (-1, "-0.000000001"),
        (-1_500_000_000, "-1.5"),
        (2**63 - 1, "9223372036.854775807"),
    ],
)
def test_amounts_are_written_as_people_write_them(amount, text):
    assert usd_text(amount) == text
    assert usd(amount) == Decimal(text)


@PROVEN
@given(AMOUNTS)
def test_a_correction_is_written_like_its_amount_with_a_minus(amount):
    assert usd(-amount) == -usd(amount)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("9007199254.740992999", 9_007_199_254_740_992_999),
        (Decimal("9007199254.740992993"), 9_007_199_254_740_992_993),
        (Decimal("0.1") + Decimal("0.2"), 300_000_000),
        ("1234567890123456789012345.123456789", 1_234_567_890_123_456_789_012_345_123_456_789),
        (7, 7_000_000_000),
        (Decimal("1e3"), 1_000_000_000_000),
        (Decimal("1E-9"), 1),
        (Decimal("0e400"), 0),
        (Decimal("-0.0"), 0),
        ("1.0000000000", 1_000_000_000),
        ("0." + "0" * 60, 0),
    ],
)
def test_no_float_changes_what_is_read(value, amount):
    assert nano_usd(value) == amount


@PROVEN
@given(st.text("0123456789", max_size=30), st.text("0123456789", min_size=9, max_size=29), st.sampled_from("123456789"))
@example("9" * 30, "9" * 29, "9")
@example("0", "0" * 9, "1")
def test_a_tenth_decimal_is_refused_and_never_rounded(whole, part, last):
    for value in (f"0{whole}.{part}{last}", Decimal(f"0{whole}.{part}{last}")):
        with pytest.raises(ValueError, match="decimal"):
            nano_usd(value)


@pytest.mark.parametrize(
    "value",
    [
        "-1",
        "-0.000000001",
        -1,
        "-1e30",
        "NaN",
        "-NaN",
        "sNaN",
        Decimal("NaN"),
        "Infinity",
        "-Infinity",
        "1e400",
        "1e-400",
        "1" * 60,
        "1e99999999999999999999",
        "",
        " ",
        ".",
        "one",
        "1,5",
        "0x10",
        "1.2.3",
        "$1",
    ],
)
def test_what_is_no_amount_is_a_value_error(value):
    with pytest.raises(ValueError, match=r"decimal|zero or more"):
        nano_usd(value)


@pytest.mark.parametrize("text", ["1_000", " 1", "1 ", "٣", "+1", "-1", "1e3", ".5", "5.", "", "NaN", "Infinity"])
def test_a_text_that_only_python_takes_for_a_number_is_no_amount(text):
    with pytest.raises(ValueError, match="is not a decimal number of USD"):
        nano_usd(text)
