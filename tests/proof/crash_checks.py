"""What must be so after each crash: what the server tells and what the senders know, held against each other."""

import sqlite3
from contextlib import closing

from sendmeter.services.verify import differences
from tests.cli.processes import wait_until
from tests.proof.crash_journal import COSTED, MESSAGES, amounts, held
from tests.proof.crash_requests import EVENTS, HOLDS, SCARCE
from tests.proof.crash_responses import event_of, hold_of, nanos, read

PAGE = 200
BUSY = """
SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
AND backend_type = 'client backend' AND state <> 'idle'
"""


def wait_until_quiet(store):
    """Wait until no process of PostgreSQL goes on with what somebody who was killed had asked it for."""
    if not store.is_sqlite:
        wait_until(lambda: store.read(lambda: store.execute(BUSY).fetchone()[0]) == 0, 60)


class Checks:
    """The checks of one organization, with a client of its own (`tests.live.Client`)."""

    def __init__(self, store, organization, client, journal):
        self.store, self.organization, self.client, self.journal = store, organization, client, journal

    def check(self, doubts, *, all_holds=False):
        """Check everything, while nobody sends; give how many of the requests in doubt had been done."""
        _same("faults", self.journal.faults[:5], [])
        wait_until_quiet(self.store)
        found = self._events() | self._holds(all_holds)
        actual = dict(self.journal.states)
        landed = sum([self._settle_doubt(request, found, actual) for request in doubts])
        looked_at = {key: state for key, state in actual.items() if key[0] == "event" or key in found}
        assert found == looked_at, _differing(found, looked_at)
        assert max(self.journal.told_accepted.values(), default=0) <= 1, "an event was told to be accepted twice"
        self._check_sums(actual)
        _same("what verify says", differences(self.store, self.organization), [])
        if self.store.is_sqlite:
            self._check_file()
        return landed

    def _events(self):
        """Read all events, page by page; each once."""
        found, cursor = {}, ""
        while True:
            page = read(self.client.http.get(f"{self.client.url}{EVENTS}?limit={PAGE}{cursor}", headers=self._key()))
            for each in page["items"]:
                key = ("event", each["source"], each["id"])
                assert key not in found, f"{key} is listed twice"
                found[key] = event_of(each)
            if "nextCursor" not in page:
                return found
            cursor = f"&cursor={page['nextCursor']}"

    def _holds(self, all_holds):
        """Read the holds that were touched since the last check, or all; one that is not there is left out."""
        keys = {key for key in self.journal.states if key[0] == "hold"} if all_holds else set()
        found = {}
        for key in keys | self.journal.touched_holds:
            answer = self.client.request("GET", f"{HOLDS}/{key[1]}")
            assert answer.status_code in (200, 404), answer.text
            if answer.status_code == 200:
                found[key] = hold_of(read(answer))
            else:
                assert key not in self.journal.states, f"{key} was acknowledged and is gone"
        self.journal.touched_holds.clear()
        return found

    def _key(self):
        return {"authorization": f"Bearer {self.client.token}"}

    def _settle_doubt(self, request, found, actual):
        """A request in doubt was done whole or not at all; tell whether it was, and go on from what is so."""
        before = {key: self.journal.states.get(key) for key in request.own}
        after = {key: request.after[key] for key in request.own}
        now = {key: found.get(key) for key in request.own}
        assert now in (before, after), f"half of it was done: {request}: {now}"
        is_done = bool(after) and now == after
        if is_done:
            actual.update(request.after)
        else:
            # Another request, in doubt too, may have done it.
            actual.update({key: found[key] for key in request.shared if key in found})
        return is_done

    def _check_sums(self, actual):
        """Usage and limits are what all events and holds add up to, by plain addition here."""
        sums, holding = amounts(actual), held(actual)
        usage = read(self.client.usage())
        cost = {channel: sums[channel][1] for channel in COSTED}
        counted = {
            "channelUsages": {channel: each[0] for channel, each in sums.items()},
            "messageUsage": sum(sums[channel][0] for channel in MESSAGES),
            "pendingCosts": sum(each[2] for each in sums.values()),
        }
        _same("usage", {name: usage[name] for name in counted}, counted)
        costs = {"costSms": cost["SMS"], "costCall": cost["CALL"], "budgetUsage": sum(cost.values())}
        _same("costs", {name: nanos(usage[name]) for name in costs}, costs)
        limits = read(self.client.request("GET", "/organization/limits"))
        used = {"messageCap": usage["messageUsage"], "budgetCap": sum(cost.values()), **usage["channelUsages"]}
        standings = {each["cap"]: each for each in limits["standings"]}
        expected = {cap: (used[cap], holding[cap]) for cap in ("messageCap", "budgetCap", *MESSAGES, *COSTED)}
        unit = {cap: nanos if cap == "budgetCap" else int for cap in expected}
        told = {cap: (unit[cap](each["used"]), unit[cap](each["held"])) for cap, each in standings.items()}
        _same("used and held", told, expected)
        scarce = standings[SCARCE]
        assert scarce["used"] + scarce["held"] <= scarce["limit"], f"the cap is passed: {scarce}"

    def _check_file(self):
        with closing(sqlite3.connect(f"file:{self.store.path}?mode=ro", uri=True)) as database:
            _same("the file's integrity", database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            _same("foreign keys", database.execute("PRAGMA foreign_key_check").fetchall(), [])


def _same(what, found, expected):
    """Compare, and say what differs: pytest tells nothing of an assert that is not in a test."""
    assert found == expected, f"{what}: {found}, and should be {expected}"


def _differing(found, expected):
    keys = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
    return [(key, found.get(key), expected.get(key)) for key in keys[:5]]
