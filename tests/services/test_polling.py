"""Asking providers for prices, over real HTTP: politely, by one at a time, and whatever the provider does."""

import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import pairwise

import pytest

from sendmeter.domain.providers import LONGEST_WAIT
from sendmeter.errors import Unavailable
from sendmeter.integrations.http_client import Outgoing
from sendmeter.services import corrections, providers, usage
from sendmeter.services.polling import QUESTIONS_AT_ONCE, Poller
from sendmeter.services.vault import Vault, new_key
from sendmeter.store import messages as stored_messages
from sendmeter.store import providers as stored
from tests.integrations.standin import StandIn
from tests.live import Clock
from tests.services.use_cases import TICK, USD, check, entry, founded, read, record

SID = "SM{:032x}"
KEY = new_key()
TWILIO = {"accountSid": f"AC{1:032x}", "authToken": "s3cret-token"}


@pytest.fixture
def standin():
    with StandIn() as made:
        yield made


@contextmanager
def poller_of(store, standin, clock, *, key=KEY, timeout_seconds=20):
    """Poll with time for an answer even on a busy machine, and the shortest lease."""
    outgoing = Outgoing(test_url=standin.url, timeout_seconds=timeout_seconds)
    made = Poller(store, Vault(key), outgoing, clock, seconds=0, per_second=1_000, timeout_seconds=0.5)
    with made:
        yield made
    outgoing.close()


def set_up(store, organization, clock, provider="twilio", given=None):
    return providers.add(store, Vault(KEY), organization.number, provider, given or TWILIO, clock(), by="test")[0]


def sms(number, **more):
    return {"id": f"s{number}", "channel": "SMS", "provider": "twilio", "providerMessageId": SID.format(number), **more}


def status(store, organization):
    return providers.search(store, organization.number)[0]


def test_a_price_that_the_provider_knows_is_not_asked_for_or_not_counted(store, standin, clock):
    organization = founded(store)
    set_up(store, organization, clock)
    record(store, organization, sms(1), sms(2), sms(3, channel="CALL", providerMessageId=f"CA{3:032x}"))
    standin.price("twilio", SID.format(1), "-0.0079")
    standin.price("twilio", SID.format(2), None)
    standin.price("twilio", f"CA{3:032x}", "-0.013")
    clock.advance(minutes=1)
    with poller_of(store, standin, clock) as poller:
        assert poller.round() == 3
        assert poller.round() == 0
        assert entry(store, organization, "s1").cost_nano_usd == 7_900_000
        assert entry(store, organization, "s3").cost_nano_usd == 13_000_000
        assert entry(store, organization, "s2").pending
        standin.price("twilio", SID.format(2), "-1")
        clock.advance(minutes=2)
        assert poller.round() == 1
    assert status(store, organization).connection.health.last_answer_at == clock()
    assert read(store, organization).cost_nano_usd == USD + 20_900_000
    assert entry(store, organization, "s1").corrections[0].made_by == "provider:twilio"
    check(store, organization)


def test_a_message_is_asked_for_at_once_or_more_often_than_ever_more_seldom(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, sms(1))
    standin.price("twilio", SID.format(1), None)
    asked_after = []
    start = clock()
    with poller_of(sqlite_store, standin, clock) as poller:
        while clock() < start + timedelta(hours=30):
            if poller.round():
                asked_after.append(int((clock() - start).total_seconds() // 60))
            clock.advance(minutes=1)
    assert asked_after == [1, 3, 8, 23, 53, 113, 233, 473, 953, 1433]
    health = status(sqlite_store, organization).connection.health
    assert health.last_answer_at == start + timedelta(minutes=1433), "that there is no price yet is an answer"


def test_a_price_that_never_comes_is_asked_for_for_ever(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, sms(1))
    standin.price("twilio", SID.format(1), None)
    with poller_of(sqlite_store, standin, clock) as poller:
        asked = 0
        for _ in range(100):
            clock.advance(hours=9)
            asked += poller.round()
            trouble = status(sqlite_store, organization).connection.health.last_trouble
            assert (trouble and trouble.code) == ("no_price" if asked == 60 else None)
    assert asked == 60
    assert entry(sqlite_store, organization, "s1").pending


def test_the_youngest_is_asked_for_first_or_all_at_once(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    for number in (5, 3, 4, 1, 2):
        record(sqlite_store, organization, sms(number), now=clock())
        clock.advance(seconds=1)
    record(sqlite_store, organization, *(sms(number) for number in range(10, 40)), now=clock())
    clock.advance(minutes=2)
    with poller_of(sqlite_store, standin, clock) as poller:
        assert poller.round() == QUESTIONS_AT_ONCE
        assert poller.round() == 35 - QUESTIONS_AT_ONCE
    asked = [request.path.rpartition("/")[2].removesuffix(".json") for request in standin.requests]
    assert asked[:5] == [SID.format(number) for number in (5, 3, 4, 1, 2)]
    assert len(set(asked)) == 35


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        ("unauthorized", "20003"),
        ("rate_limit", "20429"),
        ("fail", "http_500"),
        ("hang", "timeout"),
        ("drip", "timeout"),
        ("close", "broken_answer"),
        ("half", "broken_answer"),
        ("bad_json", "broken_answer"),
        ("redirect", "redirected"),
        ("oversize", "too_large"),
        ("html", "broken_answer"),
        ("wrong_types", "broken_answer"),
    ],
)
def test_a_provider_that_fails_is_asked_on_and_on_or_its_failure_is_not_told(
    behaviour, code, sqlite_store, standin, clock
):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, *(sms(number) for number in range(5)))
    standin.behave(behaviour)
    timeout_seconds = 0.1 if code == "timeout" else 20
    clock.advance(minutes=1)
    since = clock()
    with poller_of(sqlite_store, standin, clock, timeout_seconds=timeout_seconds) as poller:
        assert poller.round() == 1
        assert poller.round() == 0
        health = status(sqlite_store, organization).connection.health
        assert (health.failing_since, health.failures, health.last_trouble.code) == (since, 1, code)
        assert TWILIO["authToken"] not in health.last_trouble.message
        assert clock() < health.poll_at
        if behaviour != "rate_limit":
            assert health.poll_at <= since + timedelta(seconds=5)
        while clock() < since + timedelta(hours=2):
            clock.advance(minutes=1)
            poller.round()
        health = status(sqlite_store, organization).connection.health
        assert health.failing_since == since
        # Each time twice as long, up to a quarter of an hour, or as long as it asks for.
        assert 8 <= len(standin.requests) <= 24
        standin.behave("well")
        for number in range(5):
            standin.price("twilio", SID.format(number), "-0.01")
        for _ in range(20):
            clock.advance(minutes=1)
            poller.round()
    health = status(sqlite_store, organization).connection.health
    assert (health.failing_since, health.failures) == (None, 0)
    assert read(sqlite_store, organization).cost_nano_usd == 50_000_000
    check(sqlite_store, organization)


def test_one_message_that_the_provider_fails_at_keeps_the_others_from_their_prices(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, *(sms(number) for number in range(4)))
    path = f"/2010-04-01/Accounts/{TWILIO['accountSid']}/Messages/{SID.format(0)}.json"
    standin.serve("api.twilio.com", path, b"<html>Sorry</html>", status=500)
    for number in range(1, 4):
        standin.price("twilio", SID.format(number), "-0.01")
    with poller_of(sqlite_store, standin, clock) as poller:
        for _ in range(10):
            clock.advance(minutes=1)
            poller.round()
    found = status(sqlite_store, organization)
    assert (found.pending, read(sqlite_store, organization).cost_nano_usd) == (1, 30_000_000)


def test_what_cannot_be_asked_for_counts_as_an_answer_or_is_asked_for(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    telnyx = {"publicKey": "A" * 43 + "=", "apiKey": "key"}
    set_up(sqlite_store, organization, clock, "telnyx", telnyx)
    uuid = "40385f64-5717-4562-b3fc-2c963f66afa{}"
    sent = {"channel": "CALL", "provider": "telnyx", "providerMessageId": uuid.format(0)}
    record(
        sqlite_store,
        organization,
        {**sent, "id": "call"},
        {**sent, "id": "odd", "channel": "SMS", "providerMessageId": "odd"},
    )
    record(sqlite_store, organization, {**sent, "id": "sms", "channel": "SMS", "providerMessageId": uuid.format(1)})
    standin.behave("unauthorized")
    clock.advance(minutes=1)
    since = clock()
    with poller_of(sqlite_store, standin, clock) as poller:
        for _ in range(5):
            poller.round()
            clock.advance(minutes=20)
        health = status(sqlite_store, organization).connection.health
        assert (health.failing_since, health.last_trouble.code) == (since, "10009")
        assert {request.query.get("filter[uuid]", [""])[0] for request in standin.requests} == {uuid.format(1)}
        standin.behave("well")
        standin.price("telnyx", uuid.format(1), "0.0051")
        poller.round()
        clock.advance(minutes=1)
        assert poller.round() == 0
    assert read(sqlite_store, organization).cost_nano_usd == 5_100_000
    assert status(sqlite_store, organization).connection.health.failing_since is None


def test_what_cannot_be_asked_for_is_trouble_where_there_is_no_price_of_it_and_none_where_its_id_is_wrong(
    sqlite_store, standin, clock
):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock, "telnyx", {"publicKey": "A" * 43 + "=", "apiKey": "key"})
    with poller_of(sqlite_store, standin, clock) as poller:
        for channel, code in (("CALL", None), ("SMS", "unknown_message")):
            sent = {"id": channel, "channel": channel, "provider": "telnyx", "providerMessageId": f"odd {channel}"}
            record(sqlite_store, organization, sent, now=clock())
            clock.advance(minutes=1)
            poller.round()
            trouble = status(sqlite_store, organization).connection.health.last_trouble
            assert (trouble and trouble.code) == code
    assert standin.requests == []


def test_a_provider_that_asks_for_patience_gets_none(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, sms(1))
    standin.behave("rate_limit", retry_after="120")
    clock.advance(minutes=1)
    with poller_of(sqlite_store, standin, clock) as poller:
        poller.round()
        clock.advance(seconds=119)
        assert poller.round() == 0
        clock.advance(seconds=1)
        assert poller.round() == 1


def test_one_message_that_is_wrong_keeps_the_others_from_their_prices(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(
        sqlite_store, organization,
        sms(1, providerMessageId="no-sid"), sms(2), sms(3), sms(4), sms(5, providerMessageId="../../Calls"),
    )  # fmt: skip
    standin.price("twilio", SID.format(3), "-0.01", unit="EUR")
    standin.price("twilio", SID.format(4), "-0.01")
    clock.advance(minutes=1)
    with poller_of(sqlite_store, standin, clock) as poller:
        assert poller.round() == 5
    found = status(sqlite_store, organization)
    assert (found.connection.health.failing_since, found.pending) == (None, 4)
    assert found.connection.health.last_trouble.code in ("20404", "unknown_message", "unsupported_currency")
    record(sqlite_store, organization, sms(6), now=clock())
    standin.price("twilio", SID.format(6), "-0.01", unit="EUR")
    clock.advance(minutes=1)
    with poller_of(sqlite_store, standin, clock) as poller:
        poller.round()
    assert status(sqlite_store, organization).connection.health.last_trouble.code == "unsupported_currency"
    assert read(sqlite_store, organization).cost_nano_usd == 10_000_000


def test_a_provider_that_fails_past_the_grace_time_makes_no_502(store, standin, clock):
    organization = founded(store)
    set_up(store, organization, clock)
    record(store, organization, sms(1))
    standin.behave("unauthorized")
    clock.advance(minutes=1)

    def usage_now():
        return usage.get(store, organization.number, clock(), known_costs=False, grace_seconds=3600)

    with poller_of(store, standin, clock) as poller:
        poller.round()
        clock.advance(minutes=59)
        usage_now()
        clock.advance(minutes=1)
        with pytest.raises(usage.ProviderFailed) as refused:
            usage_now()
        assert (refused.value.provider, refused.value.provider_code) == ("twilio", "20003")
        standin.behave("well")
        standin.price("twilio", SID.format(1), "-0.01")
        poller.round()
    assert usage_now().cost_nano_usd == 10_000_000


def test_a_failure_is_remembered_when_nobody_would_find_out_that_it_ended(store, standin, clock):
    organization = founded(store)
    set_up(store, organization, clock)
    record(store, organization, sms(1))
    standin.behave("unauthorized")
    clock.advance(minutes=1)
    with poller_of(store, standin, clock) as poller:
        poller.round()
        assert status(store, organization).connection.health.failing_since
        corrections.settle(store, organization.number, ("api", "s1"), 5, None, clock(), by="test")
        poller.round()
        assert status(store, organization).connection.health.failing_since is None
        clock.advance(days=3)
        record(store, organization, sms(3), now=clock())
        usage.get(store, organization.number, clock(), known_costs=False, grace_seconds=3600)


def test_a_provider_that_is_set_up_anew_goes_on_failing_or_is_not_asked_at_once(store, standin, clock):
    organization = founded(store)
    set_up(store, organization, clock)
    record(store, organization, sms(1), sms(2))
    standin.price("twilio", SID.format(1), "-0.01")
    standin.price("twilio", SID.format(2), None)
    standin.behave("unauthorized")
    with poller_of(store, standin, clock) as poller:
        for _ in range(60):
            clock.advance(minutes=1)
            poller.round()
        standin.behave("well")
        set_up(store, organization, clock, given={**TWILIO, "authToken": "another"})
        health = status(store, organization).connection.health
        assert (health.failing_since, health.failures) == (None, 0)
        assert poller.round() == 2
        assert read(store, organization).cost_nano_usd == 10_000_000
        for _ in range(100):
            clock.advance(hours=9)
            poller.round()
        assert status(store, organization).connection.health.last_trouble.code == "no_price"
        standin.price("twilio", SID.format(2), "-0.02")
        assert poller.round() == 0
        set_up(store, organization, clock)
        assert poller.round() == 1, "what was given up is not asked for anew"
    check(store, organization)


def test_the_worker_marks_what_was_set_up_meanwhile_as_failing(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, sms(1))
    clock.advance(minutes=1)
    standin.behave("slow", seconds=0.2)
    standin.behave("hang", times=1)
    with poller_of(sqlite_store, standin, clock, timeout_seconds=1) as poller:
        asking = threading.Thread(target=poller.round)
        asking.start()
        while not standin.requests:
            time.sleep(0.01)
        set_up(sqlite_store, organization, clock, given={**TWILIO, "authToken": "another"})
        asking.join()
    assert status(sqlite_store, organization).connection.health.failing_since is None


def test_a_cost_that_no_counter_can_hold_keeps_the_others_from_their_prices(store, standin, clock):
    organization = founded(store)
    set_up(store, organization, clock)
    most = {"channel": "SMS", "quantity": 1_000_000, "cost": "999999.999999999"}
    record(store, organization, {**most, "id": "most"})
    fill = "UPDATE cycle_counters SET cost_nano_usd = 8999999999999999999 WHERE organization_id = ?"
    store.write(lambda: store.execute(fill, (organization.number,)))
    record(store, organization, sms(1), sms(2, channel="CALL", providerMessageId=f"CA{2:032x}"))
    standin.price("twilio", SID.format(1), "-1")
    standin.price("twilio", f"CA{2:032x}", "-0.01")
    clock.advance(minutes=1)
    with poller_of(store, standin, clock) as poller:
        assert poller.round() == 2
        assert poller.round() == 0
    assert read(store, organization).counters["CALL"].cost_nano_usd == 10_000_000
    assert status(store, organization).connection.health.last_trouble.code == "uncounted"


def test_a_provider_that_hangs_keeps_another_waiting_for_each_of_its_organizations(sqlite_store, standin, clock):
    hanging = [founded(sqlite_store) for _ in range(6)]
    for organization in hanging:
        set_up(sqlite_store, organization, clock)
        record(sqlite_store, organization, sms(1))
    standin.behave("hang")
    clock.advance(minutes=1)
    started = time.monotonic()
    with poller_of(sqlite_store, standin, clock, timeout_seconds=1) as poller:
        assert poller.round() == 1
    assert time.monotonic() - started < len(hanging) - 0.5


def test_an_event_that_waits_no_more_is_asked_for(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, sms(1), sms(2), sms(3))
    corrections.settle(sqlite_store, organization.number, ("api", "s1"), 5, None, clock(), by="test")
    corrections.void(sqlite_store, organization.number, ("api", "s2"), "a mistake", clock(), by="test")
    clock.advance(minutes=1)
    with poller_of(sqlite_store, standin, clock) as poller:
        assert poller.round() == 1


def test_what_a_clock_that_was_ahead_put_off_is_asked_for_when_that_time_comes(store, standin, clock):
    """The connection, the message and the lease: each would keep the price away for ten years."""
    organization = founded(store)
    set_up(store, organization, clock)
    record(store, organization, sms(1), sms(2), sms(3))
    standin.price("twilio", SID.format(1), None)
    path = f"/2010-04-01/Accounts/{TWILIO['accountSid']}/Messages/{SID.format(2)}.json"
    standin.serve("api.twilio.com", path, b"", status=500)
    with poller_of(store, standin, clock) as poller, poller_of(store, standin, clock) as other:
        clock.advance(days=3_650)
        assert poller.round() == 2
        connection = status(store, organization).connection
        assert store.write(
            lambda: stored.lease(
                store, connection, "killed", clock() + timedelta(hours=1), clock() + timedelta(hours=2)
            )
        )
        clock.advance(days=-3_650)
        clock.advance(minutes=2)
        standin.files.clear()
        for number in (1, 2, 3):
            standin.price("twilio", SID.format(number), "-1")
        assert other.round() == 3
    assert read(store, organization).cost_nano_usd == 3 * USD
    check(store, organization)


def test_what_is_put_off_for_as_long_as_anything_may_be_is_asked_for_before(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, sms(1))
    message = stored_messages.by_id(sqlite_store, organization.number, ("twilio", SID.format(1)))
    with poller_of(sqlite_store, standin, clock) as poller:
        for late, asked in ((LONGEST_WAIT, 0), (LONGEST_WAIT + TICK, 1)):
            put_off = partial(stored_messages.postpone, sqlite_store, organization.number, message.key, clock() + late)
            sqlite_store.write(put_off)
            assert poller.round() == asked


def test_two_workers_ask_at_once(store, standin, clock):
    organization = founded(store)
    set_up(store, organization, clock)
    record(store, organization, *(sms(number) for number in range(12)))
    for number in range(12):
        standin.price("twilio", SID.format(number), "-0.01")
    standin.behave("slow", seconds=0.03)
    clock.advance(minutes=1)
    with poller_of(store, standin, clock) as one, poller_of(store, standin, clock) as other:
        threads = [threading.Thread(target=lambda p=p: [p.round() for _ in range(3)]) for p in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(standin.requests) == 12
    times = sorted(request.at for request in standin.requests)
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.03
    check(store, organization)


class Killed(BaseException):
    """What a kill looks like from inside: nothing that comes after it is done."""


class DeadlyClock(Clock):
    """A clock at whose n-th reading the worker is killed."""

    readings = 0
    deadly = 0

    def __call__(self):
        self.readings += 1
        if self.readings == self.deadly:
            raise Killed
        return self.now


def test_what_a_killed_worker_was_at_is_lost_or_counted_twice(store, standin):
    clock = Clock()
    organization = founded(store)
    set_up(store, organization, clock)
    count = 8
    record(store, organization, *(sms(number) for number in range(count)))
    for number in range(count):
        standin.price("twilio", SID.format(number), "-0.01")
    for deadly in range(1, 40):
        clock.advance(minutes=2)
        killed = DeadlyClock(clock.now)
        killed.deadly = deadly
        with poller_of(store, standin, killed) as poller:
            try:
                poller.round()
            except Killed:
                with poller_of(store, standin, Clock(clock.now)) as other:
                    other.round()  # the killed worker's lease still stands, or it had none
        check(store, organization)
    assert read(store, organization).cost_nano_usd == count * 10_000_000
    assert read(store, organization).pending == 0


def test_a_lease_that_was_lost_does_not_end_the_visit(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, *(sms(number) for number in range(6)))
    clock.advance(minutes=1)
    with poller_of(sqlite_store, standin, clock) as poller:
        standin.behave("slow", seconds=0.2)
        asking = threading.Thread(target=poller.round)
        asking.start()
        while not standin.requests:
            time.sleep(0.01)
        providers.remove(sqlite_store, organization.number, "twilio", clock(), by="test")
        asking.join()
    assert len(standin.requests) == 1


def test_secrets_that_cannot_be_read_are_no_failure(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, sms(1))
    clock.advance(minutes=1)
    for key in ("", new_key()):
        clock.advance(minutes=20)
        with poller_of(sqlite_store, standin, clock, key=key) as poller:
            poller.round()
        assert status(sqlite_store, organization).connection.health.last_trouble.code == "secrets_unreadable"
    assert standin.requests == []


@pytest.mark.parametrize("details", [{"how": "slow", "seconds": 0.2}, {"how": "hang"}])
def test_it_stops_late_or_never(sqlite_store, standin, clock, details):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, *(sms(number) for number in range(10)))
    standin.behave(**details)
    clock.advance(minutes=1)
    outgoing = Outgoing(test_url=standin.url, timeout_seconds=30)
    with Poller(sqlite_store, Vault(KEY), outgoing, clock, seconds=60, per_second=2, timeout_seconds=5):
        deadline = time.monotonic() + 30
        while not standin.requests and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "poller" in [thread.name for thread in threading.enumerate()]
        stopping = time.monotonic()
    assert "poller" not in [thread.name for thread in threading.enumerate()]
    assert time.monotonic() - stopping < 20
    assert 1 <= len(standin.requests) <= 2
    health = status(sqlite_store, organization).connection.health
    assert health.poll_at <= clock(), "what was left is not asked for at once by the next worker"


@contextmanager
def worker(store, standin, clock, seconds):
    outgoing = Outgoing(test_url=standin.url, timeout_seconds=5)
    with Poller(store, Vault(KEY), outgoing, clock, seconds=seconds, per_second=1_000, timeout_seconds=5):
        yield


def waited_for(condition):
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_a_worker_waits_before_it_asks_for_the_rest(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, *(sms(number) for number in range(QUESTIONS_AT_ONCE + 5)))
    clock.advance(minutes=1)
    with worker(sqlite_store, standin, clock, seconds=60):
        assert waited_for(lambda: len(standin.requests) == QUESTIONS_AT_ONCE + 5)


def test_a_worker_gives_up_or_goes_on_without_a_pause_when_something_fails(sqlite_store, standin, clock, caplog):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, sms(1))
    standin.price("twilio", SID.format(1), "-1")
    clock.advance(minutes=1)
    faults = [Unavailable("The database does not answer."), RuntimeError("a bug")]
    asked = []

    def troubled():
        asked.append(None)
        if faults:
            raise faults.pop()
        return clock()

    with worker(sqlite_store, standin, troubled, seconds=0.01):
        assert waited_for(lambda: not entry(sqlite_store, organization, "s1").pending)
    assert [record.levelname for record in caplog.records if record.name.endswith("polling")] == ["ERROR", "WARNING"]
    faults, asked[:] = [RuntimeError("a bug")], []
    with worker(sqlite_store, standin, troubled, seconds=60):
        assert waited_for(lambda: asked)
        time.sleep(0.1)
        assert len(asked) == 1


def test_a_worker_that_finds_nothing_looks_without_a_pause(sqlite_store, standin, clock):
    looked = []

    def counted():
        looked.append(None)
        return clock()

    with worker(sqlite_store, standin, counted, seconds=60):
        assert waited_for(lambda: looked)
        time.sleep(0.1)
        assert len(looked) == 1


def test_a_provider_is_asked_more_often_than_it_may_be(sqlite_store, standin, clock):
    for number in (1, 2):
        organization = founded(sqlite_store)
        set_up(sqlite_store, organization, clock)
        record(sqlite_store, organization, sms(number), sms(number + 2))
    clock.advance(minutes=1)
    outgoing = Outgoing(test_url=standin.url, timeout_seconds=5)
    poller = Poller(sqlite_store, Vault(KEY), outgoing, clock, seconds=0, per_second=20, timeout_seconds=5)
    with poller:
        started = time.monotonic()
        assert poller.round() == 4
        assert time.monotonic() - started >= 4 / 20


def test_a_worker_loses_its_lease_while_it_waits_to_ask_again(sqlite_store, standin, clock):
    organization = founded(sqlite_store)
    set_up(sqlite_store, organization, clock)
    record(sqlite_store, organization, sms(1))
    standin.behave("hang")
    clock.advance(minutes=1)
    outgoing = Outgoing(test_url=standin.url, timeout_seconds=2)
    with Poller(sqlite_store, Vault(KEY), outgoing, clock, seconds=60, per_second=0.1, timeout_seconds=2):
        assert waited_for(lambda: standin.requests)
        # Three times as long as it waits for an answer, and until its next question.
        leased = [bool(due_in(sqlite_store, clock, seconds)) for seconds in (15.9, 16)]
    assert leased == [False, True]


def due_in(store, clock, seconds):
    return store.read(lambda: stored.due(store, clock() + timedelta(seconds=seconds), 9))
