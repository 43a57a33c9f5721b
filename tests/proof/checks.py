"""What is asked after each step, and what the model says to it."""

import json
from datetime import timedelta
from decimal import Decimal

from sendmeter.services.verify import differences
from tests.proof.model import offset, text, usd
from tests.proof.model_responses import amounts, event_json, hold_json, midnight, period, recorded, standing_json

USAGE, EVENTS = "/organization/usage", "/organization/usage/events"
HOLDS, LIMITS = "/organization/usage/holds", "/organization/limits"


class Checks:
    """Questions to the server, as the client of the model's organization."""

    def ask(self, method, path, status, *, client=None, **options):
        self.sound = False
        answer = (client or self.client).request(method, path, **options)
        assert answer.status_code == status, (method, path, options, answer.status_code, answer.text)
        return json.loads(answer.text, parse_float=Decimal)

    def check(self):
        self.check_usage()
        self.check_limits(self.ask("GET", LIMITS, 200))
        self.check_history()
        self.check_search()
        assert differences(self.server.store, self.organization) == []
        self.sound = True

    def check_usage(self):
        found = self.ask("GET", USAGE, 402 if self.model.locked() else 200)
        if not self.model.locked():
            start, end = self.model.cycle(self.model.now)
            expected = {**amounts(self.model.running()), "billingCycleStart": text(start), "billingCycleEnd": text(end)}
            assert found == expected
            assert found["budgetUsage"] == found["costSms"] + found["costCall"]

    def check_limits(self, found):
        start, end = self.model.cycle(self.model.decision())
        shown = {**self.model.caps, "billingCycleStart": text(start), "billingCycleEnd": text(end)}
        if "budgetCap" in shown:
            shown["budgetCap"] = usd(shown["budgetCap"])
        standings = [standing_json(cap, *stands) for cap, stands in self.model.standings().items()]
        assert {"channelCaps": {}, **found} == {**shown, "standings": standings}

    def check_history(self):
        first, last = self.model.edges[0].date() + timedelta(days=1), self.model.now.date() + timedelta(days=1)
        for grouping, expected in {"day": self.days, "calendar": self.months, "billing": self.cycles}.items():
            path = f"{USAGE}/history?startDate={first}&endDate={last}&groupBy={grouping}"
            found = self.ask("GET", path, 402 if self.model.locked() else 200)
            if not self.model.locked():
                assert found["items"] == expected(first, last)

    def days(self, first, last):
        totals = self.model.totals(lambda _, day: day)
        found = [first + timedelta(days=count) for count in range((last - first).days + 1)]
        return [period(str(day), midnight(day), midnight(day + timedelta(days=1)), totals.get(day)) for day in found]

    def months(self, first, last):
        totals = self.model.totals(lambda _, day: day.replace(day=1))
        found, month = [], first.replace(day=1)
        while month <= last:
            following = (month + timedelta(days=31)).replace(day=1)
            found.append(period(f"{month:%Y-%m}", midnight(month), midnight(following), totals.get(month)))
            month = following
        return found

    def cycles(self, first, last):
        totals = self.model.totals(lambda cycle, _: cycle)
        end = midnight(last + timedelta(days=1))
        self.model.cycle(end)
        found = []
        before = self.model.cycle(midnight(first))[0]
        for start in self.model.edges:
            if before <= start < end:
                local = (start + offset(self.model.anchors[start][1], start)).date()
                found.append(period(str(local), start, self.model.cycle(start)[1], totals.get(start)))
        return found

    def check_search(self, limit=7, query="", **wanted):
        found, cursor = [], ""
        while True:
            page = self.ask("GET", f"{EVENTS}?limit={limit}{query}{cursor}", 200)
            found += [recorded(each, self.key_id) for each in page["items"]]
            if "nextCursor" not in page:
                break
            assert len(page["items"]) == limit
            cursor = f"&cursor={page['nextCursor']}"
        assert found == [event_json(event) for event in self.model.newest(**wanted)]

    def check_event(self, key, found):
        if "error" not in found:
            assert recorded(found, self.key_id) == event_json(self.model.events[key])

    def check_hold(self, hold_id, found):
        if "error" in found:
            found = self.ask("GET", f"{HOLDS}/{hold_id}", 200)
        assert found == hold_json(self.model.holds[hold_id], self.model.now)
