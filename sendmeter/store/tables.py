"""The tables, as peewee models without a database: a query is given one when it is executed.

Money is in nano-USD, instants are microseconds since 1970 UTC, days are numbered from 1970-01-01 UTC; all are BIGINT.
Every table begins its primary key with `organization_id`, the number of the organization (docs/decisions/0003).
"""

from peewee import BigIntegerField, BooleanField, CompositeKey, Model, SmallIntegerField, TextField


class _Table(Model):
    class Meta:
        legacy_table_names = False


class Organizations(_Table):
    """Whom usage is counted for."""

    organization_id = BigIntegerField(primary_key=True)
    public_id = TextField()
    name = TextField()
    starts_at = BigIntegerField()
    created_at = BigIntegerField()
    schedule = TextField()
    cursor_key = TextField()
    enforcement = TextField()
    message_cap = BigIntegerField(null=True)
    budget_cap_nano_usd = BigIntegerField(null=True)
    channel_caps = TextField(null=True)
    decided_at = BigIntegerField()


class Accounts(_Table):
    """Who may hold keys; each belongs to one organization."""

    organization_id = BigIntegerField()
    account_id = TextField()
    created_at = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("organization_id", "account_id")


class ApiKeys(_Table):
    """Keys, by the hash of their token (hex)."""

    organization_id = BigIntegerField()
    key_hash = TextField()
    key_id = TextField()
    account_id = TextField()
    name = TextField()
    scopes = TextField()
    created_at = BigIntegerField()
    expires_at = BigIntegerField(null=True)
    revoked_at = BigIntegerField(null=True)

    class Meta:
        primary_key = CompositeKey("organization_id", "key_hash")


class Cycles(_Table):
    """Billing cycles that were needed; a row never moves, and says what it was made from and, if it is odd, why."""

    organization_id = BigIntegerField()
    starts_at = BigIntegerField()
    ends_at = BigIntegerField()
    anchor_day = SmallIntegerField()
    time_zone = TextField()
    reason = TextField(null=True)

    class Meta:
        primary_key = CompositeKey("organization_id", "starts_at")


class Events(_Table):
    """The ledger's first entries: what was sent. A row never changes; corrections are entries of their own."""

    organization_id = BigIntegerField()
    source = TextField()
    event_id = TextField()
    channel = TextField()
    quantity = BigIntegerField()
    cost_nano_usd = BigIntegerField(null=True)
    provider = TextField(null=True)
    provider_message_id = TextField(null=True)
    occurred_at = BigIntegerField()
    recorded_at = BigIntegerField()
    cycle_starts_at = BigIntegerField()
    late = BooleanField()
    metadata = TextField(null=True)
    estimated_cost_nano_usd = BigIntegerField(null=True)

    class Meta:
        primary_key = CompositeKey("organization_id", "source", "event_id")


class Corrections(_Table):
    """The ledger's other entries: what they add to the counters that their event is counted in, or to later ones."""

    organization_id = BigIntegerField()
    source = TextField()
    event_id = TextField()
    number = BigIntegerField()
    correction_id = TextField()
    kind = TextField()
    channel = TextField()
    quantity = BigIntegerField()
    cost_nano_usd = BigIntegerField()
    pending = BigIntegerField()
    estimated_nano_usd = BigIntegerField()
    reason = TextField(null=True)
    booked_at = BigIntegerField()
    cycle_starts_at = BigIntegerField()
    late = BooleanField()
    recorded_at = BigIntegerField()
    made_by = TextField()

    class Meta:
        primary_key = CompositeKey("organization_id", "source", "event_id", "number")


class CycleCounters(_Table):
    """What each channel of a cycle adds up to, and how much of it late corrections gave back to earlier cycles."""

    organization_id = BigIntegerField()
    cycle_starts_at = BigIntegerField()
    channel = TextField()
    quantity = BigIntegerField()
    cost_nano_usd = BigIntegerField()
    pending = BigIntegerField()
    estimated_nano_usd = BigIntegerField()
    returned_quantity = BigIntegerField()
    returned_nano_usd = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("organization_id", "cycle_starts_at", "channel")


class DayCounters(_Table):
    """What each channel of a UTC day adds up to."""

    organization_id = BigIntegerField()
    day = BigIntegerField()
    channel = TextField()
    quantity = BigIntegerField()
    cost_nano_usd = BigIntegerField()
    pending = BigIntegerField()
    estimated_nano_usd = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("organization_id", "day", "channel")


class PendingCosts(_Table):
    """Events whose cost is not known yet; a row goes when its cost is settled, or it is voided."""

    organization_id = BigIntegerField()
    source = TextField()
    event_id = TextField()
    cycle_starts_at = BigIntegerField()
    provider = TextField(null=True)
    provider_message_id = TextField(null=True)

    class Meta:
        primary_key = CompositeKey("organization_id", "source", "event_id")


class Holds(_Table):
    """Room that was admitted under the caps; `expires_at` decides alone whether one that is `held` still counts."""

    organization_id = BigIntegerField()
    hold_id = TextField()
    channel = TextField()
    quantity = BigIntegerField()
    estimated_cost_nano_usd = BigIntegerField(null=True)
    ttl_seconds = BigIntegerField()
    placed_at = BigIntegerField()
    expires_at = BigIntegerField()
    state = TextField()
    ended_at = BigIntegerField(null=True)
    source = TextField(null=True)
    event_id = TextField(null=True)

    class Meta:
        primary_key = CompositeKey("organization_id", "hold_id")


class AuditLog(_Table):
    """Who changed caps, keys and anchors, and who backfilled."""

    organization_id = BigIntegerField()
    entry_id = TextField()
    recorded_at = BigIntegerField()
    made_by = TextField()
    action = TextField()
    details = TextField()

    class Meta:
        primary_key = CompositeKey("organization_id", "entry_id")


class ProviderConnections(_Table):
    """Organizations' connections to providers: where those report, since when they fail, who asks them for prices."""

    organization_id = BigIntegerField()
    provider = TextField()
    endpoint_id = TextField()
    records = BooleanField()
    settings = TextField()
    sealed_secrets = TextField(null=True)
    polls = BooleanField()
    created_at = BigIntegerField()
    poll_at = BigIntegerField()
    failing_since = BigIntegerField(null=True)
    failures = BigIntegerField()
    trouble_code = TextField(null=True)
    trouble_message = TextField(null=True)
    trouble_at = BigIntegerField(null=True)
    last_answer_at = BigIntegerField(null=True)
    last_receipt_at = BigIntegerField(null=True)
    leased_by = TextField(null=True)
    leased_until = BigIntegerField(null=True)

    class Meta:
        primary_key = CompositeKey("organization_id", "provider")


class ProviderMessages(_Table):
    """What is known of a provider's message: the event that it is of, what it costs, when to ask for that.

    Whichever comes first, event or receipt, makes the row; the other finds it.
    """

    organization_id = BigIntegerField()
    provider = TextField()
    message_id = TextField()
    channel = TextField()
    source = TextField(null=True)
    event_id = TextField(null=True)
    cost_nano_usd = BigIntegerField(null=True)
    told_at = BigIntegerField(null=True)
    ask_at = BigIntegerField(null=True)
    asked = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("organization_id", "provider", "message_id")
