"""Every documented answer on demand, each of it as the contract has it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sendmeter.contract import contract
from tests.live import JSON

USAGE = "/organization/usage"
PATHS = {
    "eventId": "settled-1",
    "holdId": "campaign-1",
    "keyId": "key_" + "0" * 26,
    "organizationId": "org_" + "0" * 26,
    "provider": "telnyx",
    "endpointId": "ep_" + "0" * 39,
}


def requests():
    """Return a request that the contract accepts for each operation."""
    for operation in contract().operations.values():
        item = contract().document["paths"][operation.path][operation.method.lower()]
        path = operation.path.format(**PATHS)
        if "startDate" in operation.parameters:
            path += "?startDate=2026-09-01&endDate=2026-11-20"
        sent = {}
        if "requestBody" in item:
            content = item["requestBody"]["content"]["application/json"]
            value = contract().resolve(next(iter(content["examples"].values())))["value"]
            # What is signed is sent as the text that it is.
            sent = {"content": value, "headers": JSON} if isinstance(value, str) else {"json": value}
        yield operation, path, sent


def answers(operation):
    """Return each documented answer of an operation with the names of its examples."""
    item = contract().document["paths"][operation.path][operation.method.lower()]
    for status, answer in item["responses"].items():
        content = contract().resolve(answer).get("content", {}).get("application/json", {})
        yield int(status), list(content.get("examples", {}))


EVERY = [pytest.param(*each, id=each[0].operation_id) for each in requests()]


@pytest.mark.parametrize(("operation", "path", "sent"), EVERY)
def test_each_status_and_each_example_is_answered_when_it_is_asked_for(operation, path, sent, mock):
    for status, examples in answers(operation):
        answer = mock(operation.method, path, prefer=f"code={status}", **sent)
        assert answer.status_code == status, answer.text
        assert answer.headers["preference-applied"] == f"code={status}"
        for name in examples:
            answer = mock(operation.method, path, prefer=f"code={status}, example={name}", **sent)
            assert (answer.status_code, answer.headers["preference-applied"]) == (
                status,
                f"code={status}, example={name}",
            )


@pytest.mark.parametrize(("operation", "path", "sent"), EVERY)
def test_each_status_is_made_from_its_schema_the_same_for_the_same_seed(operation, path, sent, mock):
    for status, _ in answers(operation):
        for seed in (1, 2):
            prefer = f"code={status}, dynamic=true, seed={seed}"
            first, second = (mock(operation.method, path, prefer=prefer, **sent) for _ in range(2))
            assert first.status_code == status, first.text
            assert without_tracking_id(first) == without_tracking_id(second)


def without_tracking_id(answer):
    body = answer.json() if answer.content else {}
    return {name: value for name, value in body.items() if name != "trackingId"}


def test_what_is_made_from_a_schema_differs_and_says_how_to_repeat_it(mock):
    first, second = (mock("GET", USAGE, prefer="dynamic=true") for _ in range(2))
    assert first.json() != second.json()
    assert mock("GET", USAGE, prefer=first.headers["preference-applied"]).json() == first.json()


def test_an_example_is_found_whatever_its_status(mock):
    answer = mock("GET", USAGE, prefer="example=pending")
    assert (answer.status_code, answer.json()["pendingCosts"]) == (200, 3)
    assert mock("GET", USAGE, prefer="example=missing").status_code == 401


def test_an_answer_on_demand_changes_nothing(mock):
    before = mock("GET", USAGE).json()
    mock("POST", f"{USAGE}/events", json={"events": [{"id": "one", "channel": "EMAIL"}]}, prefer="code=200")
    assert mock("GET", USAGE).json() == before


def test_an_error_on_demand_has_its_headers_and_the_tracking_id_of_the_request(mock):
    assert mock("GET", USAGE, prefer="code=401").headers["www-authenticate"] == 'Bearer realm="sendmeter"'
    body = {"events": [{"id": "one", "channel": "EMAIL"}]}
    assert int(mock("POST", f"{USAGE}/events", json=body, prefer="code=429").headers["retry-after"]) >= 1


def test_a_request_that_is_invalid_is_refused_whatever_it_asks_for(mock):
    assert mock("GET", USAGE, prefer="code=402", token=None).status_code == 401
    assert mock("GET", f"{USAGE}?nosuch=1", prefer="code=402").status_code == 400
    assert mock("GET", "/nosuch", prefer="code=402").status_code == 404


def test_delay_holds_one_answer_back_and_no_other(mock):
    mock("GET", USAGE, session="quick")
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        slow = pool.submit(mock, "GET", USAGE, prefer="delay=1500, code=402")
        time.sleep(0.1)
        assert mock("GET", USAGE, session="quick").status_code == 200
        assert not slow.done()
        assert slow.result().status_code == 402
        assert time.monotonic() - began >= 1.5


@pytest.mark.parametrize(
    ("prefer", "said"),
    [
        ("code=418", "code=418 is not an answer of usage.get: it has 200, 400, 401, 402, 500, 502"),
        ("code=teapot", "code is not a status like 402"),
        ("code", "code is not a status like 402"),
        ("example=nosuch", "example=nosuch is not an example of usage.get: it has 200: busy, fresh, pending; 400: "),
        ("code=200, example=missing", "example=missing is not an example of usage.get: it has 200: busy"),
        ("example=", "example names no example"),
        ("dynamic=perhaps", "dynamic is neither true nor false"),
        ("dynamic=true, example=busy", "ask for one of them"),
        ("seed=1", "write dynamic=true, too"),
        ("dynamic=true, seed=-1", "seed is not a whole number"),
        ("dynamic=true, seed=99999999999999999999", "seed is not a whole number"),
        ("delay=60001", "delay is not a number of milliseconds up to 60,000"),
        ("delay=soon", "delay is not a number of milliseconds"),
        ("exmaple=busy", "exmaple is not a preference of the mock: it knows code, example, delay, dynamic, seed"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(prefer, said, mock):
    answer = mock("GET", USAGE, prefer=prefer)
    assert answer.status_code == 400
    (detail,) = answer.json()["error"]["details"]
    assert detail["pointer"] == "header:Prefer"
    assert said in detail["message"]


def test_each_thing_that_cannot_be_is_told(mock):
    answer = mock("GET", USAGE, prefer="exmaple=a, seed=1, delay=-1")
    assert len(answer.json()["error"]["details"]) == 3


@pytest.mark.parametrize(
    "prefer", ["respond-async", "return=minimal, wait=10", "handling=strict; foo", "", ",", ", wait=1"]
)
def test_preferences_of_other_kinds_are_passed_over(prefer, mock):
    assert mock("GET", USAGE, prefer=prefer).json()["messageUsage"] == 13025


def test_lines_of_the_header_are_read_together(mock):
    lines = [("authorization", "Bearer x"), ("prefer", "code=402"), ("prefer", "delay=1")]
    assert mock.http.get(mock.url + USAGE, headers=lines).status_code == 402


def test_a_browser_may_ask_from_anywhere_and_read_every_header(mock):
    asked = {"origin": "http://localhost:5173", "access-control-request-method": "PUT",
             "access-control-request-headers": "authorization,content-type,prefer,x-mock-session",
             "access-control-request-private-network": "true"}  # fmt: skip
    preflight = mock.http.options(f"{mock.url}/organization/limits", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert preflight.headers["access-control-allow-credentials"] == "true"
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-allow-headers"] == asked["access-control-request-headers"]
    for path, token in ((USAGE, "x"), (USAGE, None), ("/nosuch", "x")):
        answer = mock("GET", path, token=token, headers={"origin": "http://localhost:5173"})
        assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
        shown = answer.headers["access-control-expose-headers"].split(", ")
        assert {"Allow", "Preference-Applied", *(header for header in documented_headers())} <= set(shown)


def documented_headers():
    """Return the name of each header that some answer of the contract has."""
    for operation in contract().document["paths"].values():
        for item in operation.values():
            for answer in item["responses"].values():
                yield from contract().resolve(answer).get("headers", {})


@pytest.mark.parametrize("prefer", ['code="402"', "CODE=402", ",code=402", "code=402; foo=bar", "code = 402,"])
def test_a_preference_is_read_however_rfc_7240_lets_it_be_written(prefer, mock):
    assert mock("GET", USAGE, prefer=prefer).status_code == 402


def test_of_a_preference_that_is_given_twice_the_first_counts(mock):
    assert mock("GET", USAGE, prefer="code=402, code=200").status_code == 402
