"""The first tables. A migration that was released is never changed: `tables.py` moves on, this does not.

Organization first in every key; no autoincrement; named constraints; foreign keys only within an organization
(docs/decisions/0003). The bounds on counters refuse a sum before it overflows: SQLite would turn it into a float.
"""

from peewee import SqliteDatabase

COUNTER = """
    quantity BIGINT NOT NULL,
    cost_nano_usd BIGINT NOT NULL,
    pending BIGINT NOT NULL,
    CONSTRAINT {table}_quantity CHECK (quantity BETWEEN -9007199254740991 AND 9007199254740991),
    CONSTRAINT {table}_cost CHECK (cost_nano_usd BETWEEN -9000000000000000000 AND 9000000000000000000),
"""

TABLES = {
    "organizations": """
        organization_id BIGINT NOT NULL,
        public_id TEXT NOT NULL,
        name TEXT NOT NULL,
        anchor_day SMALLINT NOT NULL,
        time_zone TEXT NOT NULL,
        starts_at BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        enforcement TEXT NOT NULL,
        message_cap BIGINT,
        budget_cap_nano_usd BIGINT,
        channel_caps TEXT,
        CONSTRAINT organizations_key PRIMARY KEY (organization_id)
    """,
    "accounts": """
        organization_id BIGINT NOT NULL,
        account_id TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        CONSTRAINT accounts_key PRIMARY KEY (organization_id, account_id),
        CONSTRAINT accounts_organization FOREIGN KEY (organization_id) REFERENCES organizations (organization_id)
    """,
    "api_keys": """
        organization_id BIGINT NOT NULL,
        key_hash TEXT NOT NULL,
        key_id TEXT NOT NULL,
        account_id TEXT NOT NULL,
        name TEXT NOT NULL,
        scopes TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT,
        revoked_at BIGINT,
        CONSTRAINT api_keys_key PRIMARY KEY (organization_id, key_hash),
        CONSTRAINT api_keys_key_id UNIQUE (organization_id, key_id),
        CONSTRAINT api_keys_account FOREIGN KEY (organization_id, account_id)
            REFERENCES accounts (organization_id, account_id)
    """,
    "cycles": """
        organization_id BIGINT NOT NULL,
        starts_at BIGINT NOT NULL,
        ends_at BIGINT NOT NULL,
        anchor_day SMALLINT NOT NULL,
        time_zone TEXT NOT NULL,
        CONSTRAINT cycles_key PRIMARY KEY (organization_id, starts_at)
    """,
    "events": """
        organization_id BIGINT NOT NULL,
        source TEXT NOT NULL,
        event_id TEXT NOT NULL,
        channel TEXT NOT NULL,
        quantity BIGINT NOT NULL,
        cost_nano_usd BIGINT,
        provider TEXT,
        provider_message_id TEXT,
        occurred_at BIGINT NOT NULL,
        recorded_at BIGINT NOT NULL,
        cycle_starts_at BIGINT NOT NULL,
        late BOOLEAN NOT NULL,
        metadata TEXT,
        CONSTRAINT events_key PRIMARY KEY (organization_id, source, event_id)
    """,
    "cycle_counters": f"""
        organization_id BIGINT NOT NULL,
        cycle_starts_at BIGINT NOT NULL,
        channel TEXT NOT NULL,
        {COUNTER.format(table="cycle_counters")}
        CONSTRAINT cycle_counters_key PRIMARY KEY (organization_id, cycle_starts_at, channel)
    """,
    "day_counters": f"""
        organization_id BIGINT NOT NULL,
        day BIGINT NOT NULL,
        channel TEXT NOT NULL,
        {COUNTER.format(table="day_counters")}
        CONSTRAINT day_counters_key PRIMARY KEY (organization_id, day, channel)
    """,
    "pending_costs": """
        organization_id BIGINT NOT NULL,
        source TEXT NOT NULL,
        event_id TEXT NOT NULL,
        cycle_starts_at BIGINT NOT NULL,
        provider TEXT,
        provider_message_id TEXT,
        CONSTRAINT pending_costs_key PRIMARY KEY (organization_id, source, event_id)
    """,
    "provider_failures": """
        organization_id BIGINT NOT NULL,
        provider TEXT NOT NULL,
        failing_since BIGINT NOT NULL,
        provider_code TEXT NOT NULL,
        CONSTRAINT provider_failures_key PRIMARY KEY (organization_id, provider)
    """,
}
INDEXES = [
    "CREATE INDEX pending_costs_provider ON pending_costs (organization_id, cycle_starts_at, provider)",
]


def up(migrator, db):  # noqa: ANN001, ANN201, ARG001 - the runner's signature
    """Create the tables; on SQLite each is kept in the order of its key, without a row id beside it."""
    ending = "WITHOUT ROWID" if isinstance(db, SqliteDatabase) else ""
    for name, columns in TABLES.items():
        db.execute_sql(f"CREATE TABLE {name} ({columns}) {ending}")
    for index in INDEXES:
        db.execute_sql(index)
