"""Registers the suite's plugin and the checks' fixtures; nothing else belongs here."""

pytest_plugins = ["conformance.plugin", "fixtures.plugin"]
