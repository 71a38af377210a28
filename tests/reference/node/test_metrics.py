"""The kubelet's metrics."""

from __future__ import annotations

import pytest

from fixtures.reference.node.metrics import Metrics, size_bucket


def test_counters_have_their_labels_and_types() -> None:
    """Prometheus' text format; what has no labels is there from the beginning."""
    metrics = Metrics()
    metrics.count("kubelet_image_volume_requested_total", by=2)
    metrics.count("kubelet_runtime_operations_total", operation_type="pull_image")
    lines = metrics.text().splitlines()
    assert "kubelet_image_volume_requested_total 2" in lines
    assert "kubelet_image_volume_mounted_errors_total 0" in lines
    assert 'kubelet_runtime_operations_total{operation_type="pull_image"} 1' in lines
    assert "# TYPE kubelet_image_volume_requested_total counter" in lines


def test_pulls_are_counted_by_size_and_time() -> None:
    """A histogram whose buckets add up."""
    metrics = Metrics()
    metrics.pull(1000, 0.5)
    metrics.pull(1000, 7.0)
    name, size = "kubelet_image_pull_duration_seconds", 'image_size_in_bytes="0-10MB"'
    lines = metrics.text().splitlines()
    assert f'{name}_bucket{{{size},le="1"}} 1' in lines
    assert f'{name}_bucket{{{size},le="10"}} 2' in lines
    assert f'{name}_bucket{{{size},le="+Inf"}} 2' in lines
    assert f"{name}_count{{{size}}} 2" in lines


def test_an_unknown_metric_is_an_error() -> None:
    """A typing mistake must not make a metric that nobody reads."""
    with pytest.raises(KeyError):
        Metrics().count("kubelet_no_such_thing")


@pytest.mark.parametrize(
    ("size", "label"), [(0, "N/A"), (1, "0-10MB"), (11 << 20, "10MB-100MB"), (200 << 30, "GT100GB")]
)
def test_sizes_have_the_kubelet_s_labels(size: int, label: str) -> None:
    """By powers of two, whatever the label says."""
    assert size_bucket(size) == label
