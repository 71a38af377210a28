"""What the tests of nodes share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.registry.client import RegistryControl
from fixtures.registry.process import running


@pytest.fixture(scope="session")
def registry() -> Iterator[RegistryControl]:
    """A test registry."""
    with running() as started:
        control = started.control
        yield control
        control.close()
