"""What is asked and answered, as pydantic sees it: the contract's bounds, in FastAPI's way of saying them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

MESSAGES = ("EMAIL", "INAPP_WEB", "WEB_PUSH", "PUSH", "SLACK")
CHANNELS = (*MESSAGES, "SMS", "CALL")
Visible = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[!-~]+$")]
EventId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:~-]+$")]


class OrganizationUsage(BaseModel):
    """The usage of the running cycle."""

    messageUsage: int = Field(ge=0)
    budgetUsage: float
    costSms: float
    costCall: float
    channelUsages: dict[Literal[CHANNELS], int]
    pendingCosts: int = Field(ge=0)
    billingCycleStart: str
    billingCycleEnd: str


class _Event(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: EventId
    quantity: int = Field(1, ge=1, le=1_000_000)
    provider: Visible | None = None
    providerMessageId: Visible | None = None
    occurredAt: AwareDatetime | None = None
    source: Visible = "api"
    metadata: dict[str, str] = {}

    @property
    def cost_nano_usd(self):
        return None

    def at(self, now: datetime) -> datetime:
        """Tell when it occurred."""
        return self.occurredAt or now


class MessageEvent(_Event):
    """A message, which has no cost."""

    channel: Literal[MESSAGES]


class CostedEvent(_Event):
    """An SMS or a call."""

    channel: Literal["SMS", "CALL"]
    cost: Decimal | None = Field(None, ge=0, max_digits=15, decimal_places=9)

    @property
    def cost_nano_usd(self):
        return None if self.cost is None else int(self.cost.scaleb(9))


class EventBatch(BaseModel):
    """What is recorded with one request."""

    model_config = ConfigDict(extra="forbid")

    events: list[Annotated[MessageEvent | CostedEvent, Field(discriminator="channel")]] = Field(
        min_length=1, max_length=1000
    )


class RecordedEvent(BaseModel):
    """What became of one event."""

    id: str
    source: str
    outcome: Literal["accepted", "late", "duplicate"]


class RecordedEvents(BaseModel):
    """What became of a batch."""

    accepted: int
    duplicates: int
    late: int
    events: list[RecordedEvent]
