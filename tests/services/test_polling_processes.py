"""The worker as it runs: in server processes that are several, are killed, and are stopped."""

import os
import signal
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.services import keys, organizations, providers, usage
from sendmeter.services.vault import Vault, new_key
from sendmeter.services.verify import differences
from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.integrations.standin import StandIn
from tests.live import Client, served_process
from tests.services.use_cases import record

COUNT = 40
KEY = new_key()
ACCOUNT = {"accountSid": f"AC{1:032x}", "authToken": "s3cret-token"}
SLOW_SECONDS = 0.03


def fill(url, standin):
    """Record messages a while ago, whose prices the provider knows by now."""
    now = datetime.now(UTC)
    with closing(Store(url)) as store:
        upgrade(store)
        anchor = Anchor(min((now - timedelta(days=14)).day, 28), "UTC")
        organization = organizations.create(store, "Test", anchor, Caps(), now, by="test").organization
        providers.add(store, Vault(KEY), organization.number, "twilio", ACCOUNT, now, by="test")
        ids = [f"SM{number:032x}" for number in range(COUNT)]
        sent = [{"id": each, "channel": "SMS", "provider": "twilio", "providerMessageId": each} for each in ids]
        record(store, organization, *sent, now=now - timedelta(minutes=10))
        for each in ids:
            standin.price("twilio", each, "-0.01")
    return organization


def environment(standin):
    return {
        "SENDMETER_SECRETS_KEY": KEY,
        "SENDMETER_TEST_PROVIDER_URL": standin.url,
        "SENDMETER_PROVIDER_POLL_SECONDS": "0.1",
        "SENDMETER_PROVIDER_REQUESTS_PER_SECOND": "500",
        "SENDMETER_PROVIDER_TIMEOUT_SECONDS": "1",
    }


def wait_for(what, seconds=30):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def test_killed_processes_ask_once_at_a_time_and_lose_no_price(database_url, tmp_path):
    with StandIn() as standin, ExitStack() as stack:
        organization = fill(database_url, standin)
        standin.behave("slow", seconds=SLOW_SECONDS)
        options = {"environment": environment(standin)}
        first = stack.enter_context(served_process(database_url, tmp_path, **options))
        stack.enter_context(served_process(database_url, tmp_path, "--workers", "2", **options))
        wait_for(lambda: len(standin.requests) >= 8)
        first.popen.send_signal(signal.SIGKILL)
        with closing(Store(database_url)) as store:
            number, now = organization.number, datetime.now(UTC)

            def found():
                return usage.get(store, number, now, known_costs=True, grace_seconds=0)

            wait_for(lambda: not found().pending)
            assert found().cost_nano_usd == COUNT * 10_000_000
            assert differences(store, organization) == []
        # One price at the most was asked for again: the one that the killed process was waiting for.
        assert COUNT <= len(standin.requests) <= COUNT + 1
        times = sorted(request.at for request in standin.requests)
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert min(gaps) >= SLOW_SECONDS / 2, "two asked at once"


def test_a_provider_that_refuses_for_too_long_makes_a_502_until_it_recovers(tmp_path):
    url = f"sqlite:///{tmp_path}/test.db"
    with StandIn() as standin:
        organization = fill(url, standin)
        with closing(Store(url)) as store:
            token = keys.create(store, organization.number, "test", [], datetime.now(UTC), by="test").token
        standin.behave("unauthorized")
        variables = {**environment(standin), "SENDMETER_PROVIDER_GRACE_SECONDS": "1"}
        with served_process(url, tmp_path, environment=variables) as server:
            client = Client(server.url, token)
            wait_for(lambda: client.usage().status_code == 502)
            error = client.usage().json()["error"]
            assert (error["provider"], error["providerCode"]) == ("twilio", "20003")
            known = client.usage("?costs=known").json()
            assert (known["pendingCosts"], known["costSms"]) == (COUNT, 0)
            standin.behave("well")
            wait_for(lambda: client.usage().status_code == 200)
            wait_for(lambda: not client.usage().json()["pendingCosts"])
            assert client.usage().json()["costSms"] == COUNT / 100
            client.close()


def test_a_server_that_stops_does_not_wait_for_all_prices_and_leaves_no_lease(tmp_path):
    url = f"sqlite:///{tmp_path}/test.db"
    with StandIn() as standin:
        organization = fill(url, standin)
        standin.behave("slow", seconds=0.2)
        # Its lease outlasts this test.
        patient = {**environment(standin), "SENDMETER_PROVIDER_TIMEOUT_SECONDS": "60"}
        with served_process(url, tmp_path, environment=patient) as server:
            wait_for(lambda: standin.requests)
            os.kill(server.popen.pid, signal.SIGTERM)
            server.popen.wait(20)
            assert "Traceback" not in server.log.read_text()
            assert ACCOUNT["authToken"] not in server.log.read_text()
        asked = len(standin.requests)
        assert asked < COUNT
        standin.behave("well")
        with served_process(url, tmp_path, environment=environment(standin)), closing(Store(url)) as store:
            wait_for(lambda: len(standin.requests) > asked)  # else the lease of the stopped server was not given back
            number, now = organization.number, datetime.now(UTC)
            wait_for(lambda: not usage.get(store, number, now, known_costs=True, grace_seconds=0).pending)
        # The question that was broken off was asked again.
        assert len(standin.requests) <= COUNT + 1
