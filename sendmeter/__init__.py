"""Sendmeter: the usage meter of a notification platform."""

__version__ = "0.1.0"
