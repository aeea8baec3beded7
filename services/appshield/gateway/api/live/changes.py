"""What is told to listeners: changes gathered for a moment, one event for each application.

An event holds everything of an application that changed since the one before: its summary, its
runs, how far their steps are. It is written once, however many listen. Runs are a right of their
own, so there is a second writing without them.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

import msgspec

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.policies import PolicyRecord
from appshield.contracts.runs import Progress, Run
from appshield.gateway.api.resources.applications.applications import ApplicationSummary, summary_of
from appshield.gateway.api.resources.runs.runs import RunSummary, run_summary


class StepMoved(msgspec.Struct, frozen=True, kw_only=True):
    """How far a step of a run has come."""

    run: str
    step: str
    bytes_done: int
    bytes_total: int
    bytes_stored: int


class ApplicationChanged(msgspec.Struct, frozen=True, kw_only=True):
    """What changed of an application; `summary` is None where only runs did.

    `gone`: nothing is known of it any more.
    """

    app_id: str
    namespace: str
    name: str
    summary: ApplicationSummary | None = None
    gone: bool = False
    runs: tuple[RunSummary, ...] = ()
    progress: tuple[StepMoved, ...] = ()


class PolicyChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A policy changed, or is gone."""

    name: str
    gone: bool = False


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """Forget what you know, list again, and listen anew without `Last-Event-ID`."""

    why: str


class Visible(NamedTuple):
    """What somebody may see: applications and runs of namespaces, and policies."""

    applications: frozenset[str]
    runs: frozenset[str]
    policies: bool


class Moment:
    """What changed until one moment, of one application."""

    def __init__(self, place: AppRef, app_id: str) -> None:
        self.place = place
        self.app_id = app_id
        self.record: ApplicationRecord | None = None
        self.gone = False
        self.runs: dict[str, Run] = {}
        self.progress: dict[tuple[str, str], Progress] = {}

    @cached_property
    def whole(self) -> bytes:
        """Everything, as an event."""
        return written(
            "application",
            msgspec.structs.replace(
                self._bare(),
                runs=tuple(run_summary(run) for run in self.runs.values()),
                progress=tuple(map(_moved, self.progress.values())),
            ),
        )

    @cached_property
    def without_runs(self) -> bytes:
        """What somebody sees who may not see runs; empty where that is nothing."""
        if self.record is None:
            return b""
        return written("application", self._bare())

    def _bare(self) -> ApplicationChanged:
        shown = self.record is not None and not self.gone
        return ApplicationChanged(
            app_id=self.app_id,
            namespace=self.place.namespace,
            name=self.place.name,
            summary=summary_of(self.record) if self.record is not None and shown else None,
            gone=self.gone,
        )


class Told:
    """Everything that changed until one moment, and the position at which that is known."""

    def __init__(
        self, moments: Iterable[Moment], policies: Mapping[str, bool], position: str
    ) -> None:
        self._moments = tuple(moments)
        self._policies = dict(policies)
        self._position = position
        self._written: dict[tuple[Visible, str], bytes] = {}

    @property
    def namespaces(self) -> frozenset[str]:
        """Where something changed."""
        return frozenset(moment.place.namespace for moment in self._moments)

    def as_seen(self, visible: Visible, namespace: str) -> bytes:
        """Write what somebody may see, of one namespace or of all; empty for nothing.

        The position comes last: who was cut off in the middle hears all of it again.
        """
        key = (visible, namespace)
        if key not in self._written:
            events = b"".join(self._events(visible, namespace))
            self._written[key] = events + position_line(self._position) if events else b""
        return self._written[key]

    def _events(self, visible: Visible, namespace: str) -> Iterable[bytes]:
        for moment in self._moments:
            here = moment.place.namespace
            if here in visible.applications and namespace in {"", here}:
                yield moment.whole if here in visible.runs else moment.without_runs
        if visible.policies and not namespace:
            for name, gone in self._policies.items():
                yield written("policy", PolicyChanged(name=name, gone=gone))


class Gathering:
    """Changes as they come, until they are told."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._moments: dict[str, Moment] = {}
        self._policies: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._moments or self._policies)

    def application(self, record: ApplicationRecord, *, gone: bool) -> None:
        """Take a change of an application in."""
        if (moment := self._moment(record.app, record.app_id)) is not None:
            moment.record, moment.gone = record, gone

    def run(self, run: Run) -> None:
        """Take a change of a run in."""
        if (moment := self._moment(run.app, run.app_id)) is not None:
            moment.runs[run.id] = run

    def progress(self, progress: Progress, app_id: str) -> None:
        """Take in how far a step is."""
        if (moment := self._moment(progress.app, app_id)) is not None:
            moment.progress[progress.run, progress.step] = progress

    def policy(self, record: PolicyRecord, *, gone: bool) -> None:
        """Take a change of a policy in."""
        if record.app.cluster == self._cluster:
            self._policies[record.app.name] = gone

    def told(self, position: str) -> Told:
        """Give what was gathered, and begin anew."""
        told = Told(self._moments.values(), self._policies, position)
        self._moments, self._policies = {}, {}
        return told

    def _moment(self, place: AppRef, app_id: str) -> Moment | None:
        if place.cluster != self._cluster:
            return None
        key = app_id or str(place)
        if key not in self._moments:
            self._moments[key] = Moment(place, app_id)
        return self._moments[key]


def written(event: str, data: msgspec.Struct) -> bytes:
    """Write a server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), msgspec.json.encode(data))


def position_line(position: str) -> bytes:
    """Write the position up to which all is told; browsers send it as `Last-Event-ID`."""
    return b"id: %b\n\n" % position.encode()


def _moved(progress: Progress) -> StepMoved:
    return StepMoved(
        run=progress.run,
        step=progress.step,
        bytes_done=progress.bytes_done,
        bytes_total=progress.bytes_total,
        bytes_stored=progress.bytes_stored,
    )
