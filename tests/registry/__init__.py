"""Proof that the test registry serves, records, authenticates and misbehaves as the checks rely on."""
