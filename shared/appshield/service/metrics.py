"""Metrics in the text form of Prometheus, from values that are read when it asks. Pure."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Sample(msgspec.Struct, frozen=True):
    """One value and what it is about."""

    labels: Mapping[str, str]
    value: float


class Gauge(msgspec.Struct, frozen=True):
    """A value that goes up and down, for everything that it is about; names carry their unit."""

    name: str
    help: str
    samples: tuple[Sample, ...]


Measure = Callable[[], Iterable[Gauge]]


def exposition(gauges: Iterable[Gauge]) -> str:
    """Write gauges as Prometheus reads them."""
    lines = []
    for gauge in gauges:
        lines += [f"# HELP {gauge.name} {gauge.help}", f"# TYPE {gauge.name} gauge"]
        lines += [f"{gauge.name}{_labels(one.labels)} {one.value!r}" for one in gauge.samples]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
