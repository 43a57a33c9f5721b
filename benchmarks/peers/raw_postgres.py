"""PostgreSQL by its own driver: COPY into a table that is not logged, and INSERT … SELECT from there."""

import psycopg

_COLUMNS = (
    "organization_id, source, event_id, channel, quantity, cost_nano_usd, provider, provider_message_id, occurred_at,"
    " recorded_at, cycle_starts_at, late, metadata, estimated_cost_nano_usd"
)
_ADD = """
INSERT INTO {table} (organization_id, {period}, channel, quantity, cost_nano_usd, pending, estimated_nano_usd)
SELECT organization_id, {value}, channel, SUM(quantity), SUM(COALESCE(cost_nano_usd, 0)), 0, 0
FROM staged GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (organization_id, {period}, channel) DO UPDATE SET
quantity = {table}.quantity + excluded.quantity, cost_nano_usd = {table}.cost_nano_usd + excluded.cost_nano_usd
"""
_HOLD = """
INSERT INTO holds (organization_id, hold_id, channel, quantity, ttl_seconds, placed_at, expires_at, state)
VALUES (%s, %s, %s, %s, 900, %s, %s, 'held')
"""


class PostgresEngine:
    """One connection to a database of one organization."""

    def __init__(self, url):
        self.connection = psycopg.connect(url)
        execute = self.connection.execute
        self.number, self.start = execute("SELECT organization_id, starts_at FROM cycles").fetchone()
        execute(f"CREATE TEMPORARY TABLE staged ON COMMIT DELETE ROWS AS SELECT {_COLUMNS} FROM events LIMIT 0")
        execute("CREATE TABLE IF NOT EXISTS room (organization_id BIGINT PRIMARY KEY, held BIGINT, cap BIGINT)")
        execute("INSERT INTO room VALUES (%s, 0, 1000000000) ON CONFLICT DO NOTHING", (self.number,))
        self.connection.commit()

    def record(self, rows, _sums):
        """Store rows with their counters, which the engine adds up itself."""
        if len(rows) == 1:
            self._record_one(rows[0])
            return
        execute = self.connection.execute
        with self.connection.cursor() as cursor, cursor.copy(f"COPY staged ({_COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        added = execute(f"INSERT INTO events ({_COLUMNS}) SELECT {_COLUMNS} FROM staged ON CONFLICT DO NOTHING")
        if added.rowcount != len(rows):
            raise AssertionError("the bodies have ids of their own")
        execute(_ADD.format(table="cycle_counters", period="cycle_starts_at", value="cycle_starts_at"))
        execute(_ADD.format(table="day_counters", period="day", value="occurred_at / 86400000000"))
        self.connection.commit()

    def _record_one(self, row):
        """Store one row with its counters; to copy it first would only cost."""
        execute = self.connection.execute
        places = ", ".join(["%s"] * len(row))
        execute(f"INSERT INTO events ({_COLUMNS}) VALUES ({places}) ON CONFLICT DO NOTHING", row)
        for table, period, value in (
            ("cycle_counters", "cycle_starts_at", row[10]), ("day_counters", "day", row[8] // 86_400_000_000),
        ):  # fmt: skip
            execute(
                f"INSERT INTO {table} (organization_id, {period}, channel, quantity, cost_nano_usd, pending,"
                f" estimated_nano_usd) VALUES (%s, %s, %s, %s, %s, 0, 0)"
                f" ON CONFLICT (organization_id, {period}, channel) DO UPDATE SET"
                f" quantity = {table}.quantity + excluded.quantity,"
                f" cost_nano_usd = {table}.cost_nano_usd + excluded.cost_nano_usd",
                (row[0], value, row[3], row[4], row[5] or 0),
            )
        self.connection.commit()

    def hold(self, hold_id, channel, quantity, now):
        """Take room, and store the hold, where it fits."""
        execute = self.connection.execute
        taken = execute(
            "UPDATE room SET held = held + %s WHERE organization_id = %s AND held + %s <= cap",
            (quantity, self.number, quantity),
        )
        if taken.rowcount:
            execute(_HOLD, (self.number, hold_id, channel, quantity, now, now + 900_000_000))
        self.connection.commit()
