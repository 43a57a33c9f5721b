"""What the model says, in the contract's words."""

from datetime import UTC, datetime

from tests.proof.model import COSTED, MESSAGES, text, usd

NOTHING = (0, 0, 0, 0)


def midnight(day):
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def written(sent):
    """Write what is sent: what is None is left out."""
    said = {name: value for name, value in sent.items() if value is not None}
    return {name: text(value) if name == "occurredAt" else value for name, value in said.items()}


def amounts(sums):
    """Write what each channel adds up to."""
    sums = {channel: sums.get(channel, NOTHING) for channel in (*MESSAGES, *COSTED)}
    return {
        "messageUsage": sum(sums[channel][0] for channel in MESSAGES),
        "budgetUsage": usd(sums["SMS"][1] + sums["CALL"][1]),
        "costSms": usd(sums["SMS"][1]),
        "costCall": usd(sums["CALL"][1]),
        "channelUsages": {channel: each[0] for channel, each in sums.items()},
        "pendingCosts": sum(each[2] for each in sums.values()),
    }


def period(name, start, end, sums):
    return {"yearMonth": name, "periodStart": text(start), "periodEnd": text(end), **amounts(sums or {})}


def anchor_json(anchor, starts_at):
    return {"anchorDay": anchor[0], "timezone": anchor[1], "startsAt": text(starts_at)}


def standing_json(cap, limit, used, held, returned):
    stands = {"limit": limit, "used": used, "held": held, "remaining": max(0, limit - used - returned - held)}
    stands |= {"returned": returned} if returned else {}
    unit = usd if cap == "budgetCap" else int
    return {"cap": cap, **{name: unit(amount) for name, amount in stands.items()}}


def recorded(found, key_id):
    """Take from an event what no model can know, the ids of its corrections; each was made with the caller's key."""
    for each in found["corrections"]:
        assert each.pop("id").startswith("cor_")
        assert each.pop("recordedBy") == key_id
    return found


def event_json(event):
    sent = event.sent
    return {
        **{name: sent[name] for name in ("id", "source", "channel", "quantity")},
        **({} if event.cost is None else {"cost": usd(event.cost)}),
        "costPending": event.pending,
        "state": "voided" if event.voided else "recorded",
        "occurredAt": text(event.occurred),
        "recordedAt": text(event.recorded),
        "late": event.place[2],
        "billingCycleStart": text(event.place[1][0]),
        "corrections": [correction_json(each) for each in event.corrections],
    }


def correction_json(correction):
    _, cycle, late = correction["place"]
    told = {"reason": "a mistake"} if correction["kind"] == "void" else {"cost": usd(correction["cost"])}
    told |= {"recordedAt": text(correction["recorded"]), "late": late, "billingCycleStart": text(cycle[0])}
    return {"kind": correction["kind"], **told}


def hold_json(hold, now):
    value = {name: asked for name, asked in hold.asked.items() if asked is not None and name != "estimatedCost"}
    if hold.asked["estimatedCost"] is not None:
        value["estimatedCost"] = usd(hold.estimate)
    value |= {"placedAt": text(hold.placed), "expiresAt": text(hold.expires)}
    value["state"] = "expired" if hold.state == "held" and now >= hold.expires else hold.state
    value |= {"endedAt": text(hold.ended)} if hold.ended else {}
    if hold.event:
        value |= {"event": dict(zip(("source", "id"), hold.event, strict=True))}
        value["settledAfterExpiry"] = hold.ended >= hold.expires
    return value
