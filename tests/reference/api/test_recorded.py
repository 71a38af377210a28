"""The API server answers as kube-apiserver 1.36.2 did: see conversation.py and record.py."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.reference.api.conversation import REQUESTS
from tests.reference.api.record import RECORDED
from tests.reference.api.support import serving

_RECORDED = json.loads(RECORDED.read_text(encoding="utf-8"))["answers"]


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """The whole conversation with the reference cluster, in its order."""

    async def converse() -> dict[str, Any]:
        async with serving() as client:
            return {request.name: await client.answer(request) for request in REQUESTS}

    return asyncio.run(converse())


@pytest.mark.parametrize("name", [request.name for request in REQUESTS])
def test_answer_is_that_of_kube_apiserver(answers: dict[str, Any], name: str) -> None:
    """Status, warnings and body are those that a real API server gave, but for ids, versions and times."""
    assert answers[name] == _RECORDED[name]


def test_recording_is_complete() -> None:
    """Every request has a recorded answer, and no answer is left of a request that is gone."""
    assert set(_RECORDED) == {request.name for request in REQUESTS}
