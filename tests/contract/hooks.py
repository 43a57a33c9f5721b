"""What the fuzzer must know beside the contract. Loaded by schemathesis.toml, not by pytest.

A schema cannot say «not more than 5 minutes ahead»: most valid date-times would be refused, truthfully.
"""

import base64
import itertools
import json
import os
from collections import deque
from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import schemathesis
from hypothesis import strategies
from jsonschema import Draft4Validator
from schemathesis.generation import GenerationMode

from sendmeter.contract import contract
from sendmeter.domain.instants import read_instant

STARTED = datetime.now(UTC)
AHEAD = timedelta(minutes=4)
ORGANIZATION_START = datetime(2026, 1, 1, tzinfo=UTC)
COSTED = ("SMS", "CALL")
HOLDS, EVENTS = deque(maxlen=100), deque(maxlen=100)
TURNS = itertools.count()
ZONES = available_timezones()
OWN_KEY = os.environ.get("FUZZ_KEY_ID")

# Instants of the last minutes, in the forms that RFC 3339 knows.
schemathesis.openapi.format(
    "date-time",
    strategies.builds(
        lambda seconds, ending: (STARTED - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S") + ending,
        strategies.integers(0, 600),
        strategies.sampled_from(["Z", ".5Z", ".123456Z", "+00:00", "-00:00"]),
    ),
)


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Make what the schemas accept be what the rules accept too, where a schema cannot say the rule.

    Only what the fuzzer takes for valid is changed: what it takes for invalid must be refused as it is.
    """
    if case.path_parameters and case.path_parameters.get("keyId") == OWN_KEY:
        # Else it would see only 401s from then on.
        case.path_parameters["keyId"] = f"key_{'0' * 26}"
    _name_what_is_there(case)
    if _is_meant_to_be_valid(case, "query") and isinstance(case.query, dict):
        case.query = {**case.query, **_days_in_order(case.query)}
        if not _is_cursor(case.query.get("cursor", "")):
            case.query.pop("cursor", None)
    if _is_meant_to_be_valid(case, "body") and isinstance(case.body, dict):
        case.body = {**case.body, **_as_ruled(case)}


@schemathesis.hook
def after_call(_context, case, response):
    """Remember what was made and can be settled, so that later requests can name it."""
    if case.operation.method == "post" and response.status_code in (200, 201):
        made = response.json()
        if case.operation.path.endswith("/holds") and made["channel"] in COSTED:
            HOLDS.append(made["id"])
        sent = case.body.get("events", []) if isinstance(case.body, dict) else []
        for event, recorded in zip(sent, made.get("events", []), strict=False):
            if event["channel"] in COSTED:
                EVENTS.append((recorded["id"], recorded["source"]))


def _name_what_is_there(case):
    """Of four paths that name a hold or an event, let three name one that was made: else most answers would be 404."""
    names = case.path_parameters or {}
    turn = next(TURNS)
    if not turn % 4 or not _is_meant_to_be_valid(case, "path") or not _is_meant_to_be_valid(case, "query"):
        return
    if HOLDS and names.get("holdId", HOLDS[-1]) not in HOLDS:
        case.path_parameters["holdId"] = HOLDS.pop() if case.operation.path.endswith("/settle") else HOLDS[0]
    if EVENTS and "eventId" in names and names["eventId"] not in dict(EVENTS):
        case.path_parameters["eventId"], source = EVENTS.pop() if case.operation.method == "put" else EVENTS[0]
        case.query = {**(case.query or {}), "source": source}


def _roomy(caps):
    """No cap is reached: else, from then on, most answers would be 402, which tests/contract/provoked.py provokes."""
    roomy = {name: 10**9 for name in ("messageCap", "budgetCap") if name in caps}
    if "channelCaps" in caps:
        roomy["channelCaps"] = dict.fromkeys(caps["channelCaps"], 10**9)
    return roomy


def _days_in_order(query):
    """A history's days are in order, and less than five years apart."""
    if "startDate" not in query or "endDate" not in query:
        return {}
    first, last = (min(max(day, "2000-01-01"), "2099-12-31") for day in sorted((query["startDate"], query["endDate"])))
    return {"startDate": max(first, f"{max(2000, int(last[:4]) - 4)}-01-01"), "endDate": last}


def _as_ruled(case):
    """A key expires in the future, a time zone is one, and where there is a budget cap SMS and calls are estimated."""
    ruled = {}
    if "expiresAt" in case.body:
        ruled["expiresAt"] = (STARTED + timedelta(days=1)).isoformat()
    if case.body.get("timezone", "UTC") not in ZONES:
        ruled["timezone"] = "Asia/Kathmandu"
    ruled |= _roomy(case.body)
    if isinstance(case.body.get("limits"), dict):
        ruled["limits"] = {**case.body["limits"], **_roomy(case.body["limits"])}
    if case.operation.path.endswith("/holds") and case.body.get("channel") in COSTED:
        ruled["estimatedCost"] = case.body.get("estimatedCost", "0.01")
    if case.operation.path.endswith("/holds") and case.body["id"] in HOLDS:
        ruled["id"] = f"hold-{next(TURNS)}"
    return ruled


def _is_meant_to_be_valid(case, place):
    """Tell whether the fuzzer takes a part of a request for valid, or takes no such view of it."""
    components = case.meta.components if case.meta else {}
    return all(made.mode is GenerationMode.POSITIVE for where, made in components.items() if where.value == place)


def _is_cursor(text):
    """Tell whether a text may be a cursor that the server gave: a signature, then JSON."""
    try:
        json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[16:])
    except ValueError:
        return False
    return True


@schemathesis.hook
def filter_case(_context, case):
    """Leave out cases that are not what the fuzzer takes them for.

    Events of the future or long ago: it takes instants from answers too, such as the end of the cycle. And «invalid»
    bodies that are valid: it breaks one branch of a `oneOf`, and may hit the other (SMS without a cost becomes EMAIL).
    Whether they are is asked of the jsonschema package, not of our own validator, which is under test.
    """
    refused = any(_is_refused(text) for text in _texts(case.body))
    return not refused and not (_only_the_body_is_meant_to_be_invalid(case) and _is_valid(case))


def _only_the_body_is_meant_to_be_invalid(case):
    components = case.meta.components if case.meta else {}
    return [place.value for place, made in components.items() if made.mode is GenerationMode.NEGATIVE] == ["body"]


def _is_valid(case):
    operation = contract().document["paths"][case.operation.path][case.operation.method]
    content = operation.get("requestBody", {}).get("content", {})
    if not isinstance(case.media_type, str) or case.media_type not in content:
        return False
    components = {"components": contract().document["components"]}
    schema = {**components, "allOf": [content[case.media_type]["schema"]]}
    return Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER).is_valid(case.body)


def _texts(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def _is_refused(text):
    """Tell whether an event of that time would be refused; the fuzzed organization starts at the start of 2026."""
    try:
        return not ORGANIZATION_START <= read_instant(text) <= datetime.now(UTC) + AHEAD
    except ValueError:
        return False
