"""Frozen values and pure rules. No database, no clock, no HTTP: the standard library only."""
