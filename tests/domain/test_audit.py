"""The audit log tells who did what and when, under names that scripts read."""

from datetime import UTC, datetime

from sendmeter.domain.audit import AuditEntry


def test_an_entry_says_each_thing_under_its_own_name():
    entry = AuditEntry("aud_1", datetime(2026, 11, 20, 12, tzinfo=UTC), "cli:root", "limits.changed", {"messageCap": 5})
    assert entry.to_json() == {
        "id": "aud_1",
        "recordedAt": "2026-11-20T12:00:00Z",
        "by": "cli:root",
        "action": "limits.changed",
        "details": {"messageCap": 5},
    }
