"""Schedules of anchors, corrections, holds, estimates of pending costs, the audit log, cursors, searching by time.

Each statement does one thing and both databases take it. Columns that are added have a default: rows may be there.
"""

import secrets

from peewee import SqliteDatabase

TABLES = {
    "corrections": """
        organization_id BIGINT NOT NULL,
        source TEXT NOT NULL,
        event_id TEXT NOT NULL,
        number BIGINT NOT NULL,
        correction_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        channel TEXT NOT NULL,
        quantity BIGINT NOT NULL,
        cost_nano_usd BIGINT NOT NULL,
        pending BIGINT NOT NULL,
        estimated_nano_usd BIGINT NOT NULL,
        reason TEXT,
        booked_at BIGINT NOT NULL,
        cycle_starts_at BIGINT NOT NULL,
        late BOOLEAN NOT NULL,
        recorded_at BIGINT NOT NULL,
        made_by TEXT NOT NULL,
        CONSTRAINT corrections_key PRIMARY KEY (organization_id, source, event_id, number),
        CONSTRAINT corrections_event FOREIGN KEY (organization_id, source, event_id)
            REFERENCES events (organization_id, source, event_id)
    """,
    "holds": """
        organization_id BIGINT NOT NULL,
        hold_id TEXT NOT NULL,
        channel TEXT NOT NULL,
        quantity BIGINT NOT NULL,
        estimated_cost_nano_usd BIGINT,
        ttl_seconds BIGINT NOT NULL,
        placed_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        state TEXT NOT NULL,
        ended_at BIGINT,
        source TEXT,
        event_id TEXT,
        CONSTRAINT holds_key PRIMARY KEY (organization_id, hold_id)
    """,
    "audit_log": """
        organization_id BIGINT NOT NULL,
        entry_id TEXT NOT NULL,
        recorded_at BIGINT NOT NULL,
        made_by TEXT NOT NULL,
        action TEXT NOT NULL,
        details TEXT NOT NULL,
        CONSTRAINT audit_log_key PRIMARY KEY (organization_id, entry_id)
    """,
}
STATEMENTS = [
    "ALTER TABLE organizations ADD COLUMN schedule TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE organizations ADD COLUMN cursor_key TEXT NOT NULL DEFAULT ''",
    "UPDATE organizations SET schedule = '[[null,' || anchor_day || ',\"' || time_zone || '\"]]'",
    "ALTER TABLE organizations DROP COLUMN anchor_day",
    "ALTER TABLE organizations DROP COLUMN time_zone",
    "ALTER TABLE cycles ADD COLUMN reason TEXT",
    "ALTER TABLE events ADD COLUMN estimated_cost_nano_usd BIGINT",
    # Each listing of events is of one channel, or of all, newest first: one index, read once for each channel.
    "CREATE INDEX events_channel_time ON events (organization_id, channel, occurred_at, source, event_id)",
    # Holds that are settled or released leave the index; those that stand are added up from it alone.
    "CREATE INDEX holds_standing ON holds"
    " (organization_id, expires_at, channel, quantity, estimated_cost_nano_usd, state)"
    " WHERE state = 'held'",
]
ESTIMATED = "ADD COLUMN estimated_nano_usd BIGINT NOT NULL DEFAULT 0"
BOUNDED = "CHECK (estimated_nano_usd BETWEEN -9000000000000000000 AND 9000000000000000000)"


def up(migrator, db):  # noqa: ANN001, ANN201, ARG001 - the runner's signature
    """Create and change the tables; each organization gets the key that its cursors are signed with."""
    ending = "WITHOUT ROWID" if isinstance(db, SqliteDatabase) else ""
    for name, columns in TABLES.items():
        db.execute_sql(f"CREATE TABLE {name} ({columns}) {ending}")
    for statement in STATEMENTS:
        db.execute_sql(statement)
    for table in ("cycle_counters", "day_counters"):
        constraint = f"CONSTRAINT {table}_estimated {BOUNDED}"
        if isinstance(db, SqliteDatabase):
            # It can add a constraint with its column only; PostgreSQL that is distributed, only by itself.
            db.execute_sql(f"ALTER TABLE {table} {ESTIMATED} {constraint}")
        else:
            db.execute_sql(f"ALTER TABLE {table} {ESTIMATED}")
            db.execute_sql(f"ALTER TABLE {table} ADD {constraint}")
    place = "?" if isinstance(db, SqliteDatabase) else "%s"
    for (number,) in db.execute_sql("SELECT organization_id FROM organizations").fetchall():
        parameters = (secrets.token_hex(32), number)
        db.execute_sql(f"UPDATE organizations SET cursor_key = {place} WHERE organization_id = {place}", parameters)
