"""Any JSON, as a strategy: also with the names and values that providers use, so that it gets further in."""

from hypothesis import strategies as st

NAMES = ["data", "payload", "event_type", "message.sent", "call.cost", "cost", "amount", "currency", "USD", "mail"]
TEXTS = st.text(max_size=6) | st.sampled_from(NAMES)
NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
JSONS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
