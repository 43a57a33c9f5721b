"""Worlds: each session has its own, which behaves as the server does, and can begin again."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from sendmeter.errors import InvalidRequest
from sendmeter.mock.scenarios import SCENARIOS
from sendmeter.mock.worlds import Worlds
from tests.live import JSON

USAGE = "/organization/usage"


def test_what_is_recorded_is_counted_in_its_own_session_and_no_other(mock):
    before = mock("GET", USAGE, session="a").json()["messageUsage"]
    body = {"events": [{"id": "one", "channel": "EMAIL"}]}
    for outcome in ("accepted", "duplicate"):
        recorded = mock("POST", f"{USAGE}/events", session="a", json=body).json()
        assert recorded["events"][0]["outcome"] == outcome
    assert mock("GET", USAGE, session="a").json()["messageUsage"] == before + 1
    assert mock("GET", USAGE, session="b").json()["messageUsage"] == before
    assert mock("GET", USAGE).json()["messageUsage"] == before


def test_the_same_scenario_named_again_keeps_the_world_and_another_begins_it_anew(mock):
    body = {"events": [{"id": "one", "channel": "EMAIL"}]}
    mock("POST", f"{USAGE}/events", scenario="fresh", json=body)
    assert mock("GET", USAGE, scenario="fresh").json()["messageUsage"] == 1
    assert mock("GET", USAGE).json()["messageUsage"] == 1
    assert mock("GET", USAGE, scenario="busy").json()["messageUsage"] == 13025
    assert mock("GET", USAGE, scenario="fresh").json()["messageUsage"] == 0


def test_reset_begins_the_same_scenario_again_or_the_one_that_it_names(mock):
    mock("POST", f"{USAGE}/events", scenario="fresh", json={"events": [{"id": "one", "channel": "EMAIL"}]})
    assert mock("POST", "/mock/reset").json() == {"session": mock.session, "scenario": "fresh"}
    assert mock("GET", USAGE).json()["messageUsage"] == 0
    assert mock("POST", "/mock/reset", scenario="held").json()["scenario"] == "held"
    assert mock("GET", "/mock").json()["scenario"] == "held"


def test_reset_wants_a_session_and_a_scenario_that_can_be(mock):
    assert mock("POST", "/mock/reset", scenario="nosuch").status_code == 400
    assert mock("POST", "/mock/reset", session="no such").status_code == 400
    assert mock("GET", "/mock/reset").status_code == 405


def test_requests_that_change_the_world_at_the_same_time_all_get_an_answer(mock):
    names = ["fresh", "busy", "held"] * 8
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda name: mock("GET", USAGE, scenario=name), names))
    assert [answer.status_code for answer in answers] == [200] * len(names)
    assert [answer.json()["messageUsage"] == 0 for answer in answers] == [name == "fresh" for name in names]


@pytest.fixture
def few(monkeypatch):
    """Let just a few worlds be kept, so that there are soon too many."""
    monkeypatch.setattr("sendmeter.mock.worlds.MOST_WORLDS", 3)
    return 3


def test_of_too_many_sessions_the_oldest_is_forgotten_and_its_files_are_gone(mock, few):
    mock("POST", f"{USAGE}/events", session="s-0", scenario="fresh", json={"events": [{"id": "1", "channel": "PUSH"}]})
    for number in range(1, few + 1):
        assert mock("GET", "/health/live", session=f"s-{number}", scenario="fresh").status_code == 200
    assert len(list(mock.folder.glob("*.db"))) == few
    assert mock("GET", USAGE, session="s-0", scenario="fresh").json()["messageUsage"] == 0


def test_a_world_that_somebody_is_in_is_not_forgotten_however_many_there_are(mock, few):
    mock(
        "POST", f"{USAGE}/events", session="busy-1", scenario="fresh", json={"events": [{"id": "1", "channel": "PUSH"}]}
    )
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(mock, "GET", USAGE, session="busy-1", prefer="delay=2500")
        time.sleep(0.2)
        for number in range(few + 1):
            mock("GET", "/health/live", session=f"other-{number}", scenario="fresh")
        assert not slow.done(), "the others took longer than the slow one"
        assert slow.result().json()["messageUsage"] == 1
    assert mock("GET", USAGE, session="busy-1").json()["messageUsage"] == 1


def test_more_sessions_at_once_than_are_kept_all_get_an_answer_and_no_more_files_stay(mock, few):
    def slowly(number):
        return mock("GET", USAGE, session=f"slow-{number}", scenario="fresh", prefer="delay=500").status_code

    with ThreadPoolExecutor(few + 6) as pool:
        assert set(pool.map(slowly, range(few + 6))) == {200}
    assert mock("GET", USAGE).status_code == 200
    assert len(list(mock.folder.glob("*.db"))) == few


def test_a_request_that_names_no_scenario_does_not_undo_one_that_does(mock):
    for _ in range(5):
        mock("POST", "/mock/reset", scenario="busy")
        with ThreadPoolExecutor(3) as pool:
            first = pool.submit(mock, "GET", USAGE)
            second = pool.submit(mock, "GET", USAGE, scenario="fresh")
            third = pool.submit(mock, "GET", USAGE)
            assert {each.result().status_code for each in (first, second, third)} == {200}
        assert mock("GET", "/mock").json()["scenario"] == "fresh"


def test_a_scenario_that_there_is_not_makes_no_session_and_one_that_cannot_begin_leaves_no_file(mock, tmp_path):
    early = datetime(1, 1, 2, tzinfo=UTC)
    worlds = Worlds(tmp_path, lambda: early, SCENARIOS["busy"])

    async def enter(scenario):
        async with worlds.entered("a", scenario):
            raise AssertionError("it began")

    with pytest.raises(InvalidRequest):
        asyncio.run(enter("nosuch"))
    assert not worlds._sessions
    with pytest.raises(OverflowError):
        asyncio.run(enter("busy"))
    assert list(tmp_path.iterdir()) == []
    worlds.close()


def test_a_world_that_is_thrown_away_leaves_no_file(mock):
    before = set(mock.folder.iterdir())
    mock("GET", USAGE)
    added = set(mock.folder.iterdir()) - before
    assert any(file.suffix == ".db" for file in added)
    mock("POST", "/mock/reset")
    assert not any(file.exists() for file in added)


def test_who_names_no_session_is_in_the_one_called_default(mock):
    assert mock.http.get(f"{mock.url}/mock").json()["session"] == "default"


def test_any_token_will_do_but_none_is_a_401(mock):
    assert mock("GET", USAGE, token="x").status_code == 200
    assert mock("GET", USAGE, token=None).status_code == 401
    assert mock("GET", USAGE, headers={"authorization": "Bearer"}).status_code == 401
    assert mock("GET", USAGE, headers={"authorization": "Basic eDp5"}).status_code == 401


def test_a_key_that_was_made_here_has_its_own_scopes_and_stops_working_when_revoked(mock):
    made = mock("POST", "/organization/keys", json={"name": "reader", "scopes": ["events:read"]}).json()
    assert mock("GET", f"{USAGE}/events", token=made["apiKey"]).status_code == 200
    assert mock("POST", f"{USAGE}/holds/h/release", token=made["apiKey"]).status_code == 403
    assert mock("DELETE", f"/organization/keys/{made['keyId']}").status_code == 204
    assert mock("GET", USAGE, token=made["apiKey"]).status_code == 401


def test_the_base_path_of_the_account_answers_too(mock):
    assert mock("GET", f"/account{USAGE}").json() == mock("GET", USAGE).json()


def test_what_is_invalid_is_refused_as_the_server_refuses_it(mock):
    bad = mock("POST", f"{USAGE}/events", content=b'{"events": [{"id": "a", "channel": "FAX"}]}', headers=JSON)
    assert bad.json()["error"]["details"][0]["pointer"] == "/events/0/channel"
