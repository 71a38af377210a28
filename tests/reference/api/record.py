"""Record what a real kube-apiserver answers to `conversation.REQUESTS`.

    python -m tests.reference.api.record --kubeconfig FILE

The cluster must have neither scheduler nor kubelet, so that nothing happens between the requests: etcd, kube-apiserver, and
kube-controller-manager with --controllers=serviceaccount-controller,namespace-controller do. Its namespaces recorded* are
made anew and deleted afterwards. Writes recorded.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from kubernetes import client, config

from tests.reference.api.conversation import (
    BASELINE,
    ENDING,
    NAMESPACE,
    REQUESTS,
    RESTRICTED,
    STATE,
    Request,
    normalized,
)

RECORDED = Path(__file__).with_name("recorded.json")
_WAIT_SECONDS = 30.0


class Target:
    """A cluster's API, in raw JSON."""

    def __init__(self, kubeconfig: str) -> None:
        configuration = client.Configuration()
        config.load_kube_config(config_file=kubeconfig, client_configuration=configuration)
        self._host = configuration.host
        self._client = client.ApiClient(configuration)

    def send(self, request: Request) -> Any:
        """Send a request; its status, warnings and body."""
        query = f"?{urlencode(request.query)}" if request.query else ""
        answer = self._client.rest_client.pool_manager.request(
            request.method,
            f"{self._host}{request.path}{query}",
            body=None if request.body is None else json.dumps(request.body).encode(),
            headers={"Content-Type": request.content_type, "Accept": "application/json"},
        )
        text = answer.data.decode()
        try:
            body = json.loads(text)
        except ValueError:
            body = text
        return {
            "status": answer.status,
            "warnings": [text.removeprefix("299 - ") for text in answer.headers.getlist("Warning")],
            "body": normalized(body),
        }

    def wait_for(self, path: str, *, found: bool) -> None:
        """Wait until a GET finds something, or nothing."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while (self.send(Request(name="", method="GET", path=path, query={}))["status"] == 200) != found:
            if time.monotonic() > deadline:
                raise TimeoutError(path)
            time.sleep(0.1)

    def remove_namespaces(self) -> None:
        """Delete what an earlier recording left."""
        for name in (NAMESPACE, RESTRICTED, BASELINE, STATE, ENDING):
            path = f"/api/v1/namespaces/{name}"
            self.send(Request(name="", method="DELETE", path=path, query={}))
        for name in (NAMESPACE, RESTRICTED, BASELINE, STATE, ENDING):
            self.wait_for(f"/api/v1/namespaces/{name}", found=False)


def _text(version: str, answers: dict[str, Any]) -> str:
    """The recording as JSON, one answer a line."""
    lines = [f"{json.dumps(name)}: {json.dumps(answer, sort_keys=True)}" for name, answer in answers.items()]
    return f'{{"version": {json.dumps(version)}, "answers": {{\n' + ",\n".join(lines) + "\n}}\n"


def main() -> None:
    """Record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", required=True)
    target = Target(parser.parse_args().kubeconfig)
    target.remove_namespaces()
    answers = {}
    for request in REQUESTS:
        if request.wait:
            target.wait_for(request.wait, found=True)
        answers[request.name] = target.send(request)
    version = target.send(Request(name="", method="GET", path="/version", query={}))["body"]["gitVersion"]
    RECORDED.write_text(_text(version, answers), encoding="utf-8")
    target.remove_namespaces()


if __name__ == "__main__":
    main()
