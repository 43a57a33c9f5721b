"""Connections to providers, and what is known of their messages; pending costs of before are asked for, too.

`provider_failures`, which nothing but tests had written, goes: a connection says itself since when it fails.
"""

from peewee import SqliteDatabase

TABLES = {
    "provider_connections": """
        organization_id BIGINT NOT NULL,
        provider TEXT NOT NULL,
        endpoint_id TEXT NOT NULL,
        records BOOLEAN NOT NULL,
        settings TEXT NOT NULL,
        sealed_secrets TEXT,
        polls BOOLEAN NOT NULL,
        created_at BIGINT NOT NULL,
        poll_at BIGINT NOT NULL,
        failing_since BIGINT,
        failures BIGINT NOT NULL,
        trouble_code TEXT,
        trouble_message TEXT,
        trouble_at BIGINT,
        last_answer_at BIGINT,
        last_receipt_at BIGINT,
        leased_by TEXT,
        leased_until BIGINT,
        CONSTRAINT provider_connections_key PRIMARY KEY (organization_id, provider)
    """,
    "provider_messages": """
        organization_id BIGINT NOT NULL,
        provider TEXT NOT NULL,
        message_id TEXT NOT NULL,
        channel TEXT NOT NULL,
        source TEXT,
        event_id TEXT,
        cost_nano_usd BIGINT,
        told_at BIGINT,
        ask_at BIGINT,
        asked BIGINT NOT NULL,
        CONSTRAINT provider_messages_key PRIMARY KEY (organization_id, provider, message_id)
    """,
}
STATEMENTS = [
    # All events of one message: which of them has its cost, once another is voided.
    "CREATE INDEX events_message ON events (organization_id, provider, provider_message_id)"
    " WHERE provider_message_id IS NOT NULL",
    # Messages whose price is to be asked for; the others leave the index.
    "CREATE INDEX provider_messages_due ON provider_messages (organization_id, provider, ask_at)"
    " WHERE ask_at IS NOT NULL",
    "INSERT INTO provider_messages (organization_id, provider, message_id, channel, source, event_id, ask_at, asked)"
    " SELECT pending.organization_id, pending.provider, pending.provider_message_id, channel, pending.source,"
    " pending.event_id, recorded_at, 0"
    " FROM pending_costs AS pending JOIN events ON events.organization_id = pending.organization_id"
    " AND events.source = pending.source AND events.event_id = pending.event_id"
    " WHERE pending.provider IS NOT NULL AND pending.provider_message_id IS NOT NULL"
    # Of several events of one message the first has its cost.
    " ORDER BY recorded_at, pending.source, pending.event_id"
    " ON CONFLICT DO NOTHING",
    "DROP TABLE provider_failures",
]


def up(migrator, db):  # noqa: ANN001, ANN201, ARG001 - the runner's signature
    """Create the tables; pending events whose provider's message is known are found by it from now on."""
    ending = "WITHOUT ROWID" if isinstance(db, SqliteDatabase) else ""
    for name, columns in TABLES.items():
        db.execute_sql(f"CREATE TABLE {name} ({columns}) {ending}")
    for statement in STATEMENTS:
        db.execute_sql(statement)
