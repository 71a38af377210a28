"""Every fault of kubelet and runtime: what is seen of it, and what a right node shows in its place."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from fixtures.reference.faults import load
from fixtures.registry.client import RegistryControl
from tests.reference.node import administration_scenarios  # noqa: F401 - for its scenarios
from tests.reference.node.fault_scenarios import SCENARIOS
from tests.reference.node.lab import play

REFUSED = "ErrImagePull"
NOT_CREATED = "CreateContainerError"
ROOT = ["aaaaaaaaaaaa", "absolute", "build.txt", "current", "empty", "old", "out", "site"]

EXPECTED: dict[str, tuple[Any, Any]] = {
    "always-does-not-pull": (1, 0),
    "always-falls-back-to-local": (REFUSED, "one"),
    "if-not-present-pulls": (0, 1),
    "if-not-present-does-not-pull": ("one", "ErrImageNeverPull"),
    "never-pulls": ("ErrImageNeverPull", "one"),
    "pulls-after-init-containers": ("pulled first", "started first"),
    "pulls-per-container": (1, 2),
    "container-policy-for-volumes": ("ErrImageNeverPull", "one"),
    "unused-volume-blocks": (1, REFUSED),
    "resolves-tag-of-digest": ("one", "two"),
    "ignores-digest": ("one", "two"),
    "no-default-tag": ("latest", ""),
    "expands-reference": ("InvalidImageName", "one"),
    "pulls-every-sync": (False, True),
    "volumes-side-by-side": (1, 2),
    "volumes-jump-the-queue": ([False, 2], [True, 2]),
    "volumes-bypass-throttle": ([0, 15], [5, 15]),
    "pulls-in-last-sync": (False, True),
    "live-update": ("one", "two"),
    "reference-cached-forever": ("two", "one"),
    "restart-resolves-again": ("one", "two"),
    "digest-follows-tag": ("one", "two"),
    "restart-uses-local-when-always": (True, False),
    "unmounts-on-exit": ("one", "ENOENT"),
    "invalid-reference-as-pull-error": ("InvalidImageName", REFUSED),
    "starts-without-missing-image": (REFUSED, "ENOENT"),
    "starts-without-unauthorized-image": (REFUSED, "ENOENT"),
    "silent-on-forbidden": (REFUSED, ""),
    "swallows-server-errors": (REFUSED, "ENOENT"),
    "swallows-connection-errors": (REFUSED, "ENOENT"),
    "no-back-off": (False, True),
    "gives-up": (True, False),
    "failed-pull-fails-pod": ("Pending", "Failed"),
    "failed-volume-blocks-all-containers": ("runs", REFUSED),
    "no-container-event": (True, False),
    "reason-on-first-container-only": ({"first": REFUSED, "second": REFUSED}, {"first": REFUSED}),
    "pulls-after-deletion": (False, True),
    "no-secrets-for-volumes": ("one", REFUSED),
    "first-secret-only": ("one", REFUSED),
    "secrets-in-list-order": ("path", "host"),
    "matches-host-only": (REFUSED, "one"),
    "anonymous-after-wrong-credential": (REFUSED, "one"),
    "credential-to-wrong-registry": (False, True),
    "one-credential-per-pod": ("one", REFUSED),
    "missing-secret-blocks": ("Succeeded", "Pending"),
    "accepts-any-secret-type": (REFUSED, "one"),
    "caches-secrets": ("Succeeded", "Pending"),
    "secrets-from-any-namespace": (REFUSED, "one"),
    "empty-authorization": (None, "basic"),
    "present-image-for-anyone": (REFUSED, "one"),
    "knows-secrets-by-name": ("one", REFUSED),
    "forgets-changed-secrets": ("one", REFUSED),
    "verifies-preloaded-images": ("#!/bin/true\n", "ErrImageNeverPull"),
    "revocation-kills-pods": ("Running", "Failed"),
    "ignores-unreadable-secrets": ("illegal base64 data at input byte 0", "one"),
    "no-node-credentials-for-volumes": ("one", REFUSED),
    "no-credential-plugins-for-volumes": ("one", REFUSED),
    "node-credentials-first": (["secret", "node"], ["node", "secret"]),
    "never-reveals-presence": (True, False),
    "credentials-in-messages": (False, True),
    "read-only-only-if-asked": ("EROFS", "ok"),
    "read-only-except-init": ("EROFS", "ok"),
    "fs-group-applied": ([7, 7, "0o100640"], [7, 12345, "0o100660"]),
    "chowns-to-run-as-user": ([7, 7, "0o100640"], [12345, 12345, "0o100640"]),
    "sub-path-expr-not-expanded": (["old.html"], NOT_CREATED),
    "sub-path-expr-empty": ("CreateContainerConfigError", "the image's root"),
    "sub-path-expr-not-checked": ("CreateContainerConfigError", NOT_CREATED),
    "volumes-swapped": ("second", "first"),
    "no-volumes-for-init-and-ephemeral": ("one", "ENOENT"),
    "no-volume-driver": (["Succeeded", False], ["Pending", True]),
    "writable": ("EROFS", "ok"),
    "writable-sub-path": ("EROFS", "ok"),
    "writable-if-privileged": ("EROFS", "ok"),
    "refuses-only-creation": ("EROFS", "ok"),
    "reads-change-files": (True, False),
    "empty-directory": (8, 0),
    "silent-without-support": (8, 0),
    "no-exec": (False, True),
    "volume-keeps-pod-running": ("Succeeded", "Running"),
    "mounts-at-parent": (0, 1),
    "sub-path-ignored": (["old.html"], ROOT),
    "sub-path-leaks-root": (["old.html"], sorted([*ROOT, "old.html"])),
    "sub-path-created": (NOT_CREATED, []),
    "sub-path-file-mounts-parent": (NOT_CREATED, ["old.html"]),
    "sub-path-parent-of-file": (NOT_CREATED, ["old.html"]),
    "sub-path-links-not-followed": (["index.html", "other.html"], NOT_CREATED),
    "sub-path-escapes": (NOT_CREATED, True),
    "sub-path-last-wins": (["old.html"], ["index.html", "other.html"]),
    "sub-path-shared-failure": ("one", "ENOENT"),
    "sub-path-not-cleaned": (["old.html"], NOT_CREATED),
    "sub-path-names-cut": (["long.txt"], NOT_CREATED),
    "one-mount-per-volume": ("one", "ENOENT"),
    "one-mount-per-image": ("one", NOT_CREATED),
    "unmounts-for-all": ("one", "ENOENT"),
    "containerd-1.7": (["one", ""], [NOT_CREATED, 'failed to mkdir "": mkdir : no such file or directory']),
    "crio-1.30": (["one", ""], [NOT_CREATED, "mount.HostPath is empty"]),
    "needs-command": ("one", NOT_CREATED),
    "cuts-large-files": (100_000, 65_536),
    "layers-reversed": ("upper", "lower"),
    "whiteouts-ignored": (["kept"], ["file", "kept"]),
    "opaque-ignored": (["new"], ["new", "old"]),
    "types-merged": ("a file", "EISDIR"),
    "links-rewritten": ("/target", "../target"),
    "modes-masked": ("0o100666", "0o100644"),
    "mtimes-lost": (True, False),
    "no-zstd": ("text", REFUSED),
    "first-of-index": ("mine", "first"),
    "layers-per-image": (1, 2),
    "pulls-into-each-pod": (False, True),
    "downloads-again": (1, 2),
    "pulls-not-joined": (1, 2),
    "no-pull-timeout": (True, False),
    "keeps-partial-blobs": (True, False),
    "hard-links-copied": (2, 1),
    "special-bits-dropped": ("0o104755", "0o100755"),
    "xattrs-dropped": (["user.comment"], []),
    "refuses-devices": ("text", REFUSED),
    "devices-allowed": (True, False),
    "refuses-empty-layers": ("text", REFUSED),
    "limits-entries": (10, REFUSED),
    "unpack-escapes": ([], ["image-volume-canary"]),
    "corrupt-blobs-accepted": (REFUSED, 1),
    "config-of-volume-applied": (None, "1"),
    "helper-container": (["main"], ["main", "volume-helper"]),
    "mounts-over-files": ("StartError", "Completed"),
    "recursive-read-only-ignored": ("Enabled", "Disabled"),
    "refuses-propagation": ("one", NOT_CREATED),
    "runtime-directories-mounted": (0, 1),
    "no-new-privileges-ignored": (1, 0),
    "copies-per-pod": (True, False),
    "status-without-image-mounts": (["volume"], []),
    "status-tells-effective-read-only": ([None], [True]),
    "volume-status-without-gate": ([0], [0, "volume"]),
    "volume-status-for-every-volume": ([0], [1, "machine", "volume"]),
    "volume-status-never-set": ([0], [1]),
    "image-id-of-volume": ("python", "site"),
    "node-hides-volume-images": (True, False),
    "failed-pulls-counted-as-requested": (False, True),
    "mounts-counted-by-volume": (2, 1),
    "failed-mounts-not-counted": ([True, False], [False, False]),
    "failed-mounts-counted-as-mounted": ([True, False], [False, True]),
    "failed-starts-counted-as-mounted": (False, True),
    "volume-pulls-not-measured": (2, 1),
    "image-volumes-charged": ([], ["volume"]),
    "sandbox-without-volumes": (NOT_CREATED, []),
    "needs-diff-ids": ("text", REFUSED),
    "artifact-empty": (["a", "deep"], []),
    "titles-ignored": (
        ["a", "deep"],
        sorted(hashlib.sha256(b"text " + title).hexdigest() for title in (b"a", b"deep/b")),
    ),
    "untitled-artifact-starts": (REFUSED, []),
    "artifacts-merged-by-config": ("one file", "two file"),
    "titles-escape": ("ENOENT", "text ../out"),
    "writable-artifact": ("EROFS", "ok"),
    "kubelet-start-unmounts": ("one", "ENOENT"),
    "restart-loses-mounts": ("one", "waits"),
    "reboot-forgets-images": ("one", "gone"),
    "mounts-leak": (0, 1),
    "failed-sub-path-leaks-mount": (0, 1),
    "static-pods-without-image-volumes": (True, False),
    "static-pods-take-secrets": (False, True),
    "collects-mounted-images": (True, False),
    "keeps-mounted-images": (False, True),
    "removal-unmounts": ("one", "ENOENT"),
    "removal-unnoticed": ("waits", "one"),
    "inspection-error-as-absence": ("ImageInspectError", "one"),
    "shares-writable-layer": (False, True),
}
"""By fault: what a right node shows, and what one with the fault does."""

NEEDS_IDS = ("fs-group-applied", "chowns-to-run-as-user")
"""What can only be seen where files can have other owners."""

GROUPS = [list(EXPECTED)[start::8] for start in range(8)]


def test_every_fault_of_a_node_has_a_scenario() -> None:
    """A fault that no node shows, or a scenario that nobody asks for, is found."""
    known = {fault.id for fault in load().values() if fault.component in ("kubelet", "runtime")}
    assert set(EXPECTED) == set(SCENARIOS) == known


@pytest.mark.parametrize("faults", GROUPS, ids=lambda faults: faults[0])
def test_a_fault_is_seen_and_a_right_node_does_not_have_it(
    faults: list[str], registry: RegistryControl
) -> None:
    """Each fault changes what its scenario sees, from the documented behaviour to the one that it describes."""
    seen = play("tests.reference.node.administration_scenarios:observe", registry, faults=faults)
    if seen.pop("ids") == "one":
        for fault in NEEDS_IDS:
            seen.pop(fault, None)
    assert seen == {fault: list(EXPECTED[fault]) for fault in seen}
