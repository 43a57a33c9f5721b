"""Bodies become JSON values exactly, or are refused with the reason."""

import json
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendmeter.errors import InvalidRequest, UnsupportedMediaType
from sendmeter.strict_json import MOST_LEVELS
from sendmeter.web.body import check_charset, media_type_of, read_bytes, read_json

PROVEN = settings(max_examples=120, derandomize=True, deadline=None)
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.text(CHARACTERS | st.sampled_from('\\u0"/'), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
TAKEN = ["application/json", "application/cloudevents+json"]


def refusal(body):
    """Return the one thing that is said of a refused body; it is told of the body as a whole."""
    with pytest.raises(InvalidRequest) as refused:
        read_json(body)
    (fault,) = refused.value.faults
    assert fault.pointer == ""
    return fault.message


def of_json(content_type):
    """Read the header as a body of JSON has it."""
    media_type = media_type_of(content_type, TAKEN)
    check_charset(content_type, TAKEN)
    return media_type


@PROVEN
@given(VALUES, st.booleans())
@example(["\\u0000", "\\\\u0000", "\\", "u0000"], True)
def test_json_is_read_as_it_was_written(value, ensure_ascii):
    assert read_json(json.dumps(value, ensure_ascii=ensure_ascii).encode()) == value


@PROVEN
@given(st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
@example("0.1")
@example("131.4032375")
@example("9007199254740993.000000001")
@example("1e400")
@example("9007199254740993")
def test_no_digit_of_a_number_is_lost(text):
    read = read_json(f"[{text}]".encode())[0]
    assert str(read) == str(Decimal(text)) if isinstance(read, Decimal) else str(read) == str(int(text))
    assert type(read) is (Decimal if {*".eE"} & {*text} else int)


def test_white_space_around_json_is_no_fault():
    assert read_json(b' \t\r\n{"a": 1}\n ') == {"a": 1}


@pytest.mark.parametrize("body", [b"null", b"true", b"0", b'""', b"[]", b"{}"])
def test_every_kind_of_json_is_read(body):
    assert json.dumps(read_json(body)).encode() == body


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty"),
        (b" ", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"events": [}', "at line 1, column 13"),
        (b'{\n"a": 1,\n}', "at line 3, column 1"),
        (b"{'a': 1}", "is not JSON"),
        (b"[1] [2]", "is not JSON: Extra data at line 1, column 5"),
        (b"[01]", "is not JSON"),
        (b"[.5]", "is not JSON"),
        (b"[1.]", "is not JSON"),
        (b"[+1]", "is not JSON"),
        (b"[0x10]", "is not JSON"),
        (b"True", "is not JSON"),
        (b"undefined", "is not JSON"),
        (b"[1] // one", "is not JSON"),
        (b'"a\nb"', "is not JSON: Invalid control character"),
        (b'"\\x41"', "is not JSON"),
        (b'"\\u12"', "is not JSON"),
        (b"a=1&b=2", "is not JSON"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        (b"NaN", "has NaN, which is not JSON"),
        (b"[Infinity]", "has Infinity, which is not JSON"),
        (b'{"a": -Infinity}', "has -Infinity, which is not JSON"),
        (b'{"id": 1, "id": 1}', "has a member twice in one object"),
        (b'[{"a": {"b": 1, "\\u0062": 2}}]', "has a member twice in one object"),
        (b"\xff", "is not UTF-8 at byte 0"),
        (b'["\xed\xa0\x80"]', "is not UTF-8 at byte 2"),
        (b'["\xc0\x80"]', "is not UTF-8 at byte 2"),
        ('{"a": "é"}'.encode("latin-1"), "is not UTF-8 at byte 7"),
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8 at byte 0"),
        (b"1" * 5_000, "too many digits"),
        (b"-" + b"1" * 5_000, "too many digits"),
        (b"1e99999999999999999999", "too many digits"),
    ],
    ids=ascii,
)
def test_what_is_no_json_is_refused_with_the_reason(body, said):
    assert said in refusal(body)


def nested(depth, opening, closing):
    return (opening * depth + "0" + closing * depth).encode()


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_32_levels_are_read_and_33_are_refused(opening, closing):
    width = opening.count("[") + opening.count("{")
    assert read_json(nested(32 // width, opening, closing))
    deeper = b"[" + nested(32 // width, opening, closing) + b"]"
    assert refusal(deeper) == f"the body is nested deeper than {MOST_LEVELS} levels"


@pytest.mark.parametrize("depth", [34, 900, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_no_depth_whatever_breaks_the_reader(depth, opening, closing):
    assert "nested deeper than 32 levels" in refusal(nested(depth, opening, closing))


def test_the_deepest_part_counts_wherever_it_stands():
    deep = nested(32, "[", "]")
    assert "nested" in refusal(b'{"a": 1, "b": [], "c": ' + deep + b', "d": {}}')
    assert read_json(b"[[]" + b",[]" * 5_000 + b"]")


@pytest.mark.parametrize(
    "body",
    [
        rb'"\ud800"',
        rb'"\udfff"',
        rb'{"\udc00": 1}',
        rb'[{"a": ["x\uD83D"]}]',
        rb'"\ude00\ud83d"',
        rb'"\ud83d \ude00"',
        rb'"\\\ud800"',
    ],
)
def test_half_of_a_surrogate_pair_is_refused(body):
    assert "half of a surrogate pair" in refusal(body)


def test_a_whole_surrogate_pair_is_a_character():
    assert read_json(rb'"\ud83d\ude00"') == "😀"


@pytest.mark.parametrize(
    "body",
    [rb'"\u0000"', rb'{"\u0000": 1}', rb'[{"a": ["x\u0000y"]}]', rb'"\\\u0000"', rb'"\\\\\u0000"', rb'"\"\u0000"'],
)
def test_nul_is_refused_wherever_it_stands(body):
    assert "NUL" in refusal(body)


@pytest.mark.parametrize("body", [b'"\0"', b"\0", b"{}\0"])
def test_nul_that_is_not_escaped_is_no_json(body):
    assert "is not JSON" in refusal(body)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'"\\u0000"', r"\u0000"),
        (rb'"\\\\u0000"', r"\\u0000"),
        (rb'"\\ud800"', r"\ud800"),
        (rb'"\u005cu0000"', r"\u0000"),
        (rb'"\u00000"'.replace(b"00000", b"00410"), "A0"),
    ],
)
def test_a_backslash_before_u0000_is_a_text_and_no_nul(body, text):
    assert read_json(body) == text


@PROVEN
@given(VALUES, TEXTS, TEXTS, st.sampled_from(["\0", "\ud800", "\udfff"]), st.booleans())
def test_no_text_around_it_hides_what_a_database_cannot_keep(value, before, after, bad, as_name):
    text = before + bad + after
    body = json.dumps([value, {text: 1} if as_name else text]).encode()
    assert ("NUL" if bad == "\0" else "surrogate") in refusal(body)


@pytest.mark.parametrize(
    "header",
    [
        "application/json",
        "APPLICATION/JSON",
        " application/json ",
        "application/json;",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/json; CHARSET=us-ascii",
        "application/json; profile=x; charset=utf8",
        "application/json; profile=latin-1",
    ],
)
def test_a_media_type_is_known_however_it_is_written(header):
    assert of_json(header) == "application/json"


def test_the_media_type_that_was_sent_is_given_and_not_the_first():
    assert media_type_of("application/cloudevents+json; charset=utf-8", TAKEN) == "application/cloudevents+json"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "wants a Content-Type"),
        ("; charset=utf-8", "wants a Content-Type"),
        ("text/plain", "does not take 'text/plain'"),
        ("application/x-www-form-urlencoded", "does not take"),
        ("application/jsonp", "does not take 'application/jsonp'"),
        ("application", "does not take 'application'"),
        ("application/json, text/plain", "does not take"),
        ("application/*", "does not take"),
        ("application/json; charset=latin-1", "UTF-8 only"),
        ("application/json; profile=x; charset=utf-16", "UTF-8 only"),
        ("application/json; charset=utf-8; charset=utf-16", "UTF-8 only"),
        ("application/json; charset=", "UTF-8 only"),
    ],
)
def test_what_the_operation_does_not_take_is_refused_with_what_it_takes(header, said):
    with pytest.raises(UnsupportedMediaType, match=said) as refused:
        of_json(header)
    assert refused.value.fix == "Send Content-Type: application/json or application/cloudevents+json."


def test_a_long_content_type_is_not_repeated():
    with pytest.raises(UnsupportedMediaType) as refused:
        media_type_of("x" * 10_000, TAKEN)
    assert len(refused.value.message) < 200


@PROVEN
@given(st.binary(min_size=1))
@example(b"\xff\0")
def test_bytes_are_given_as_they_came(body):
    assert read_bytes(body) is body


def test_no_bytes_are_refused_as_no_body():
    with pytest.raises(InvalidRequest) as refused:
        read_bytes(b"")
    assert [fault.message for fault in refused.value.faults] == ["the body is empty"]
