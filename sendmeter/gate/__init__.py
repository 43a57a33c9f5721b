"""What a contract must pass: the rules that it keeps, and what a change of it breaks. No server imports it."""
