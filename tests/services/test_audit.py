"""The audit log tells what was done in the order in which it was done, also within one instant."""

from sendmeter.services import audit
from tests.live import NOON
from tests.services.use_cases import founded


def test_what_is_done_at_one_instant_is_told_in_its_order(sqlite_store):
    organization = founded(sqlite_store)
    by = [f"key_{number}" for number in range(200)]

    def work():
        for each in by:
            audit.add(sqlite_store, organization.number, "limits.changed", {}, by=each, now=NOON)

    sqlite_store.write(work)
    told = audit.newest(sqlite_store, organization.number, 200)
    assert [entry.by for entry in told] == by[::-1]
    assert {entry.entry_id[:4] for entry in told} == {"aud_"}
