"""What the fuzzer must know beside the contract. Loaded by schemathesis.toml, not by pytest.

A schema cannot say «not more than 5 minutes ahead»: most valid date-times would be refused, truthfully.

All that must be known of the server is asked of it, since it may be somebody's deployment. There, what was there before
stays: of keys, organizations and providers only those are revoked, changed and removed that this run has made.
"""

import atexit
import base64
import itertools
import json
import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from zoneinfo import available_timezones

import httpx
import schemathesis
from hypothesis import strategies
from jsonschema import Draft4Validator
from schemathesis.generation import GenerationMode

from sendmeter.domain.instants import read_instant
from tests.contract.signing import PUBLIC_KEY, report, signed

STARTED = datetime.now(UTC)
AHEAD = timedelta(minutes=4)
COSTED = ("SMS", "CALL")
NUMBERS = itertools.count()
ZONES = available_timezones()
# The server, and the key that the fuzzer shows.
URL, KEY = os.environ["FUZZ_URL"], os.environ["FUZZ_KEY"]
# Ids that no run before has used: an event of another run may be voided.
RUN = f"{STARTED:%Y%m%d%H%M%S}"
MADE = {"keyId": set(), "organizationId": set()}
NOBODY = {"keyId": f"key_{'0' * 26}", "organizationId": f"org_{'0' * 26}"}
PROVIDERS = "/organization/providers"
RECEIVER = f"{PROVIDERS}/{{provider}}/events/{{endpointId}}"
SETUPS = {
    "telnyx": {"provider": "telnyx", "publicKey": PUBLIC_KEY},
    "twilio": {"provider": "twilio", "accountSid": f"AC{'0' * 32}", "authToken": "fuzzed"},
    "ses": {"provider": "ses", "topicArn": "arn:aws:sns:eu-central-1:123456789012:fuzzed"},
}


def _ask(method, path, **options):
    answer = httpx.request(method, URL + path, headers={"authorization": f"Bearer {KEY}"}, timeout=30, **options)
    answer.raise_for_status()
    return answer.json()


DOCUMENT = _ask("GET", "/openapi.json")
# Whoever set them up goes on to need them.
IN_USE = [each["provider"] for each in _ask("GET", PROVIDERS)["items"]]
FREE = [name for name in SETUPS if name not in IN_USE]
# Not before the organization's start, whenever that was.
FIRST = read_instant(_ask("GET", "/organization/usage?costs=known")["billingCycleStart"])


@atexit.register
def _forget_providers():
    """Remove what this run has set up: with made-up secrets it would fail, and after a while make usage a 502."""
    with suppress(httpx.HTTPError):
        for name in FREE:
            httpx.delete(f"{URL}{PROVIDERS}/{name}", headers={"authorization": f"Bearer {KEY}"}, timeout=30)


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
def before_call(_context, case, kwargs):
    """Make what the schemas accept be what the rules accept too, where a schema cannot say the rule.

    Only what the fuzzer takes for valid is changed: what it takes for invalid must be refused as it is.
    """
    _leave_what_was_there(case)
    _leave_providers(case)
    _name_what_is_there(case)
    if _is_meant_to_be_valid(case, "query") and isinstance(case.query, dict):
        case.query = {**case.query, **_days_in_order(case.query)}
        # A cursor goes on with the filters that it was given for: test_links.py follows one with filters.
        if not _is_cursor(case.query.get("cursor", "")) or case.query.keys() & {"channel", "from", "to"}:
            case.query.pop("cursor", None)
    if _is_meant_to_be_valid(case, "body") and isinstance(case.body, dict):
        case.body = {**case.body, **_as_ruled(case)}
    if case.operation.path == RECEIVER and _all_is_meant_to_be_valid(case):
        _sign(case, kwargs)


@schemathesis.hook
def after_call(_context, case, response):
    """Remember the keys and organizations that this run makes."""
    if case.method == "POST" and response.status_code == 201:
        for name, made in MADE.items():
            if isinstance(response.json(), dict) and name in response.json():
                made.add(response.json()[name])


def _leave_what_was_there(case):
    """Revoke no key and change no organization but those of this run: its own key, for one, it goes on to need.

    Where it has made one, that is in the place of another's: else, where there are many, most answers would be 404.
    """
    for name, made in MADE.items():
        named = (case.path_parameters or {}).get(name)
        if case.method != "GET" and isinstance(named, str) and named not in made and len(named) == len(NOBODY[name]):
            case.path_parameters[name] = max(made, default=NOBODY[name])


def _leave_providers(case):
    """Set no provider up, and remove none, that is in use: there is one of each name."""
    names, body = case.path_parameters or {}, case.body
    if case.method == "DELETE" and names.get("provider") in IN_USE:
        case.path_parameters["provider"] = FREE[0] if FREE else "nobody"
    if case.operation.path != PROVIDERS or not isinstance(body, dict) or body.get("provider") not in IN_USE:
        return
    if not _is_meant_to_be_valid(case, "body"):
        case.body = {**body, "provider": "nobody"}
    elif FREE:
        case.body = SETUPS[FREE[0]]
    else:
        case.headers = {**(case.headers or {}), "Authorization": "Bearer nobody"}


def _sign(case, kwargs):
    """Of four reports, let three be Telnyx's, by a key of ours: else all answers would be 401.

    What is sent is put in the place of the case's own body, which the fuzzer does not take for valid as bytes.
    """
    number = next(NUMBERS)
    if not number % 4 or "telnyx" not in FREE:
        # The fuzzer sends bytes in a form as none at all.
        kwargs["data"] = getattr(case.body, "data", b"") or b"unsigned"
        return
    if not _is_linked(case):
        made = _ask("POST", PROVIDERS, json=SETUPS["telnyx"])
        case.path_parameters |= {name: made[name] for name in ("provider", "endpointId")}
    now = datetime.now(UTC)
    kwargs["data"] = report(f"report-{RUN}-{number}", now)
    case.headers = {**(case.headers or {}), **signed(kwargs["data"], now), "content-type": case.media_type}


def _is_linked(case):
    """Return whether a case names what the one before it made."""
    return case.meta is None or case.meta.phase.name == "stateful"


def _name_what_is_there(case):
    """Of four paths that name a hold or an event, let three name one made for it: else most answers would be 404.

    Where operations follow each other by links, they name what the one before made, and are left alone.
    """
    names, number = case.path_parameters or {}, next(NUMBERS)
    if _is_linked(case) or not number % 4 or not _is_meant_to_be_valid(case, "path"):
        return
    if "holdId" in names:
        asked = {"id": f"hold-{RUN}-{number}", "channel": "SMS", "estimatedCost": "0.01"}
        case.path_parameters["holdId"] = _ask("POST", "/organization/usage/holds", json=asked)["id"]
    if case.method == "DELETE" and names.get("provider") in FREE:
        _ask("POST", PROVIDERS, json=SETUPS[names["provider"]])
    if "eventId" in names and _is_meant_to_be_valid(case, "query"):
        sent = {"id": f"event-{RUN}-{number}", "channel": "SMS"}
        recorded, *_ = _ask("POST", "/organization/usage/events", json={"events": [sent]})["events"]
        case.path_parameters["eventId"] = recorded["id"]
        case.query = {**(case.query or {}), "source": recorded["source"]}


def _roomy(caps):
    """No cap is reached: else most answers would be 402 from then on; provoked_responses.py provokes those."""
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
    """A key expires in the future, a time zone is one, and where there is a budget cap SMS and calls are estimated.

    Telnyx has the key that reports are signed with.
    """
    ruled = {}
    if case.operation.path.endswith("/settle") and "occurredAt" in case.body:
        # Not long before its hold was placed, which was a moment ago.
        ruled["occurredAt"] = datetime.now(UTC).isoformat()
    if "expiresAt" in case.body:
        ruled["expiresAt"] = (STARTED + timedelta(days=1)).isoformat()
    if case.body.get("timezone", "UTC") not in ZONES:
        ruled["timezone"] = "Asia/Kathmandu"
    if case.operation.path == PROVIDERS and case.body.get("provider") == "telnyx":
        ruled["publicKey"] = PUBLIC_KEY
    ruled |= _roomy(case.body)
    if isinstance(case.body.get("limits"), dict):
        ruled["limits"] = {**case.body["limits"], **_roomy(case.body["limits"])}
    if case.operation.path.endswith("/holds") and case.body.get("channel") in COSTED:
        ruled["estimatedCost"] = case.body.get("estimatedCost", "0.01")
    return ruled


def _is_meant_to_be_valid(case, place):
    """Return whether the fuzzer takes a part of a request for valid, or takes no such view of it."""
    components = case.meta.components if case.meta else {}
    return all(made.mode is GenerationMode.POSITIVE for where, made in components.items() if where.value == place)


def _all_is_meant_to_be_valid(case):
    return case.meta is None or case.meta.generation.mode is GenerationMode.POSITIVE


def _is_cursor(text):
    """Return whether a text may be a cursor that the server gave: a signature, then JSON."""
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
    operation = DOCUMENT["paths"][case.operation.path][case.operation.method]
    content = operation.get("requestBody", {}).get("content", {})
    if not isinstance(case.media_type, str) or case.media_type not in content:
        return False
    components = {"components": DOCUMENT["components"]}
    schema = {**components, "allOf": [content[case.media_type]["schema"]]}
    validator = Draft4Validator(_exact(schema), format_checker=Draft4Validator.FORMAT_CHECKER)
    # More digits than a number may have that is sent: whether it is a multiple is reckoned with all of them.
    with localcontext(prec=5_000):
        return validator.is_valid(_exact(case.body))


def _exact(value):
    """Let numbers be what is written: as floats, 2.180841374 is no multiple of 0.000000001."""
    if isinstance(value, dict):
        return {name: _exact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    return Decimal(repr(value)) if isinstance(value, float) else value


def _texts(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def _is_refused(text):
    """Return whether an event of that time might be refused: it is ahead, or before what the organization counts."""
    try:
        return not FIRST <= read_instant(text) <= datetime.now(UTC) + AHEAD
    except ValueError:
        return False
