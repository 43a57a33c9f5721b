"""When the last decision about a hold was made, and what each cycle's late corrections gave back to earlier cycles.

What late corrections gave back so far is added up from them, for each event and cycle.
"""

from peewee import SqliteDatabase

COLUMNS = {"returned_quantity": 9_007_199_254_740_991, "returned_nano_usd": 9_000_000_000_000_000_000}
RETURNED = """
SELECT organization_id, cycle_starts_at, channel, SUM(quantity), SUM(cost_nano_usd) FROM (
    SELECT organization_id, cycle_starts_at, channel,
    CASE WHEN SUM(quantity) < 0 THEN -SUM(quantity) ELSE 0 END AS quantity,
    CASE WHEN SUM(cost_nano_usd) < 0 THEN -SUM(cost_nano_usd) ELSE 0 END AS cost_nano_usd
    FROM corrections WHERE late GROUP BY organization_id, source, event_id, cycle_starts_at, channel
) AS by_event GROUP BY organization_id, cycle_starts_at, channel
"""


def up(migrator, db):  # noqa: ANN001, ANN201, ARG001 - the runner's signature
    """Add the columns, and fill in what late corrections gave back."""
    is_sqlite = isinstance(db, SqliteDatabase)
    db.execute_sql("ALTER TABLE organizations ADD COLUMN decided_at BIGINT NOT NULL DEFAULT 0")
    for name, bound in COLUMNS.items():
        constraint = f"CONSTRAINT cycle_counters_{name} CHECK ({name} BETWEEN -{bound} AND {bound})"
        column = f"ADD COLUMN {name} BIGINT NOT NULL DEFAULT 0"
        if is_sqlite:
            # SQLite adds a constraint only with its column; a distributed PostgreSQL, only by itself.
            db.execute_sql(f"ALTER TABLE cycle_counters {column} {constraint}")
        else:
            db.execute_sql(f"ALTER TABLE cycle_counters {column}")
            db.execute_sql(f"ALTER TABLE cycle_counters ADD {constraint}")
    place = "?" if is_sqlite else "%s"
    fill = (
        f"UPDATE cycle_counters SET returned_quantity = {place}, returned_nano_usd = {place}"
        f" WHERE organization_id = {place} AND cycle_starts_at = {place} AND channel = {place}"
    )
    for number, cycle, channel, quantity, cost in db.execute_sql(RETURNED).fetchall():
        db.execute_sql(fill, (int(quantity), int(cost), number, cycle, channel))
