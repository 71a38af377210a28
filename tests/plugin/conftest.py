"""The fixture `suite` for the tests of the plugin."""

from __future__ import annotations

import pytest

from tests.plugin.suite import ROOT, Suite


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """An empty folder for checks."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv(
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"
    )  # those of the tests of the suite are slow to load
    for name in ("IV_PROFILE", "IV_REPORT", "IV_CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    return Suite(pytester)
