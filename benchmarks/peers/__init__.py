"""What Sendmeter is measured beside: each does the same work on a copy of the same data."""
