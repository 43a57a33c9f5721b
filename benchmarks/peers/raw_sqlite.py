"""SQLite by its own driver, set as Sendmeter sets it."""

import sqlite3

_ADD = """
INSERT INTO {table} (organization_id, {period}, channel, quantity, cost_nano_usd, pending, estimated_nano_usd)
VALUES (?, ?, ?, ?, ?, 0, 0) ON CONFLICT (organization_id, {period}, channel) DO UPDATE SET
quantity = quantity + excluded.quantity, cost_nano_usd = cost_nano_usd + excluded.cost_nano_usd
"""
_HOLD = """
INSERT INTO holds (organization_id, hold_id, channel, quantity, ttl_seconds, placed_at, expires_at, state)
VALUES (?, ?, ?, ?, 900, ?, ?, 'held')
"""
_COLUMNS = (
    "organization_id, source, event_id, channel, quantity, cost_nano_usd, provider, provider_message_id, occurred_at,"
    " recorded_at, cycle_starts_at, late, metadata, estimated_cost_nano_usd"
)
_RECORD = f"INSERT INTO events ({_COLUMNS}) VALUES ({', '.join('?' * 14)}) ON CONFLICT DO NOTHING"


class SqliteEngine:
    """One connection to a database of one organization."""

    def __init__(self, url):
        self.connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=30)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536", "foreign_keys = ON"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.number, self.start = self.connection.execute("SELECT organization_id, starts_at FROM cycles").fetchone()
        self.connection.execute("CREATE TABLE IF NOT EXISTS room (organization_id INTEGER PRIMARY KEY, held, cap)")
        self.connection.execute("INSERT OR IGNORE INTO room VALUES (?, 0, 1000000000)", (self.number,))

    def record(self, rows, sums):
        """Store rows with their counters."""
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        before = self.connection.total_changes
        self.connection.executemany(_RECORD, rows)
        if self.connection.total_changes - before != len(rows):
            raise AssertionError("the bodies have ids of their own")
        for (table, period), found in zip(
            (("cycle_counters", "cycle_starts_at"), ("day_counters", "day")), sums(rows), strict=True
        ):
            added = [(self.number, *key, *amounts) for key, amounts in sorted(found.items())]
            self.connection.executemany(_ADD.format(table=table, period=period), added)
        execute("COMMIT")

    def hold(self, hold_id, channel, quantity, now):
        """Take room, and store the hold, where it fits."""
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        taken = execute(
            "UPDATE room SET held = held + ? WHERE organization_id = ? AND held + ? <= cap",
            (quantity, self.number, quantity),
        )
        if taken.rowcount:
            execute(_HOLD, (self.number, hold_id, channel, quantity, now, now + 900_000_000))
        execute("COMMIT")
