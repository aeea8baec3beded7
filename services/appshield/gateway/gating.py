"""The gate: what the API server asks before an operation, answered from holds, runs and versions.

An answer has no effect but these: a hold is written by compare-and-set, then the request that it
names is published. Either may be done again, by this gateway or another one, and changes nothing.
What cannot be decided is an error: the failure policy of the webhook decides then, which is what a
namespace has chosen for that case.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

import msgspec
import structlog

from appshield.bus import Bus, Entry, KeyExistsError, StaleRevisionError
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.gates import GateOverridden, Hold, Operation, change_passed
from appshield.contracts.identities import AppRef, run_id
from appshield.contracts.requests import RequestGate
from appshield.contracts.runs import Run
from appshield.contracts.streams import CATALOG, HOLDS, RUNS
from appshield.errors import InvalidInputError, UnavailableError
from appshield.gate import BREAK_GLASS
from appshield.gateway.gated import Gated, GatedApplications
from appshield.gateway.passing import Beside, Change, Pass, Wait, decide, is_beside
from appshield.gateway.reviewing import AdmissionRequest, Answer, glass_broken, operation_of
from appshield.manifests.objects import metadata
from appshield.manifests.states import state_name, state_of
from appshield.service import Clock

GO_ON = Answer(allowed=True)
_FOLDS_MAX = 8
_LOOK_WITHIN_S = 0.8
"""Half of the time in which the gate has to answer."""


class Surroundings(Protocol):
    """What the gate asks the API server."""

    async def own_user(self) -> str | None:
        """Return the name by which the API server knows AppShield; None where it does not say."""
        ...

    async def is_there(self, request: AdmissionRequest) -> bool:
        """Say whether the API server has the object that a request is about."""
        ...

    async def states_in(self, namespace: str) -> Mapping[str, str]:
        """Return the digest of every workload and claim of a namespace."""
        ...


class _Try(msgspec.Struct, frozen=True, kw_only=True):
    """One try of an operation, as far as it concerns one application."""

    gated: Gated
    operation: Operation
    request: AdmissionRequest
    change: Change

    @property
    def key(self) -> str:
        """The key of its hold."""
        return f"{self.gated.app_id}.{self.operation}.{self.request.uid_of_object}"


class Gate:
    """Answers the API server."""

    def __init__(
        self,
        *,
        bus: Bus,
        gated: GatedApplications,
        standing: Surroundings,
        cluster: str,
        clock: Clock,
        mint: Callable[[], str],
    ) -> None:
        self._bus = bus
        self._holds = bus.bucket(HOLDS, Hold)
        self._runs = bus.bucket(RUNS, Run)
        self._versions = bus.bucket(CATALOG, VersionRecord)
        self._gated = gated
        self._standing = standing
        self._cluster = cluster
        self._clock = clock
        self._mint = mint

    async def answer(self, request: AdmissionRequest) -> Answer:
        """Say whether an operation goes on.

        Raises:
            UnavailableError: bus or API server cannot be asked, or too little is known yet.
            InvalidInputError: the object is not one that the API server knows.
        """
        operation = operation_of(request)
        if operation is None:
            return GO_ON
        if reason := glass_broken(request):
            return await self._overridden(request, operation, reason)
        if not self._gated.complete:
            raise UnavailableError("the gate does not know the applications yet")
        concerned = self._gated.of(request.place, operation)
        if not concerned or await self._is_our_restore(request):
            return GO_ON
        change = await self._change(request)
        refusals = [
            await self._try(_Try(gated=one, operation=operation, request=request, change=change))
            for one in concerned
        ]
        why = " ".join(filter(None, refusals))
        return Answer(allowed=False, why=why) if why else GO_ON

    async def _try(self, tried: _Try) -> str:
        """Return why an application does not let the operation pass yet, or nothing."""
        entry = await self._holds.get(tried.key)
        hold = entry.value if entry else None
        run = await self._run(hold) if hold else None
        number = run.version if run is not None and run.state == "succeeded" else None
        version = await self._version(tried.gated, number or 0)
        decision = decide(tried.change, hold, run, version, self._clock.now())
        match decision:
            case Pass() | Beside():
                return ""
            case Wait() if hold is not None:
                if run is None:  # the request may not have been published: a crash, a full bus
                    await self._ask(hold)
                return _refusal(hold, run.id if run else hold.run, decision.failure)
            case _:
                newest = await self._version(tried.gated, tried.gated.last_version)
                if is_beside(tried.change, newest, _made_at(tried.request)):
                    return ""
                return await self._begin(tried, entry)

    async def _begin(self, tried: _Try, entry: Entry[Hold] | None) -> str:
        """Begin a hold, or find the one that another try has begun at this moment."""
        if tried.request.dry_run:
            return f"AppShield saves {tried.gated.app} before this; a dry run does not begin that."
        if not await self._standing.is_there(tried.request):
            raise _unknown(tried.request)
        hold = self._new_hold(tried)
        try:
            if entry is None:
                await self._holds.create(tried.key, hold)
            else:
                await self._holds.update(tried.key, hold, entry.revision)
        except (KeyExistsError, StaleRevisionError) as error:
            found = await self._holds.get(tried.key)
            if found is None:
                raise UnavailableError("a hold came and went at this moment") from error
            return _refusal(found.value, found.value.run, "")
        await self._ask(hold)
        structlog.get_logger().info("gate holds", app=str(hold.app), about=hold.about, run=hold.run)
        return _refusal(hold, hold.run, "")

    def _new_hold(self, tried: _Try) -> Hold:
        request_id = self._mint()
        return Hold(
            app=tried.gated.app,
            app_id=tried.gated.app_id,
            operation=tried.operation,
            about=tried.request.about,
            state=tried.change.state,
            asked_at=self._clock.now(),
            request_id=request_id,
            run=run_id("backup", f"request/{request_id}"),
            rule=tried.gated.rules[tried.operation],
            actor=tried.request.user,
        )

    async def _ask(self, hold: Hold) -> None:
        await self._bus.publish(
            RequestGate(
                app=hold.app,
                request_id=hold.request_id,
                actor=hold.actor,
                door="gate",
                operation=hold.operation,
                rule=hold.rule,
                about=hold.about,
            )
        )

    async def _overridden(
        self, request: AdmissionRequest, operation: Operation, reason: str
    ) -> Answer:
        if not request.dry_run:
            await self._ensure_real(request)
            for app in self._overridden_gates(request, operation):
                await self._bus.publish(
                    GateOverridden(
                        app=app,
                        admission=request.uid,
                        operation=operation,
                        about=request.about,
                        actor=request.user,
                        reason=reason,
                        at=self._clock.now(),
                        change=change_passed(
                            request.uid_of_object, operation, request.generation_made
                        ),
                    )
                )
            structlog.get_logger().warning(
                "glass broken", about=request.about, actor=request.user, reason=reason
            )
        return Answer(
            allowed=True,
            warning=f"{request.about} passes AppShield's gate by {BREAK_GLASS}: {reason}. "
            "It is on record; take the annotation off again afterwards.",
        )

    def _overridden_gates(self, request: AdmissionRequest, operation: Operation) -> list[AppRef]:
        """Name the applications whose gate was passed by: its entry is found under each of them.

        Without names of applications, as they are not known yet, it stands under the namespace.
        """
        gated = [one.app for one in self._gated.of(request.place, operation)]
        return gated or [AppRef(cluster=self._cluster, namespace=request.place, name="")]

    async def _ensure_real(self, request: AdmissionRequest) -> None:
        """Let nobody who only finds our port put words on record; who breaks glass is not held up.

        Raises:
            InvalidInputError: the API server has no such object.
        """
        try:
            async with asyncio.timeout(_LOOK_WITHIN_S):
                there = await self._standing.is_there(request)
        except (UnavailableError, TimeoutError):
            return
        if not there:
            raise _unknown(request)

    async def _is_our_restore(self, request: AdmissionRequest) -> bool:
        """Say whether AppShield itself asks, while one of its restores is changing this place."""
        if request.user != await self._standing.own_user():
            return False
        for active in self._gated.active_runs():
            entry = await self._runs.get(active)
            restore = entry.value.restore if entry else None
            if restore is not None and restore.target_namespace == request.place:
                return True
        return False

    async def _change(self, request: AdmissionRequest) -> Change:
        before = request.before
        if request.kind.kind == "Namespace":
            return Change(state="", states=await self._standing.states_in(request.name))
        state = state_of(before)
        return Change(state=state, states={state_name(before): state})

    async def _run(self, hold: Hold) -> Run | None:
        """Return the run of a hold; one that was folded into another is that one."""
        wanted = hold.run
        for _ in range(_FOLDS_MAX):
            entry = await self._runs.get(wanted)
            if entry is None or entry.value.state != "folded":
                return entry.value if entry else None
            wanted = entry.value.folded_into
        return None

    async def _version(self, gated: Gated, number: int) -> VersionRecord | None:
        if not number:
            return None
        entry = await self._versions.get(f"{gated.app_id}.{number}")
        return entry.value if entry else None


def _unknown(request: AdmissionRequest) -> InvalidInputError:
    return InvalidInputError(f"the API server knows no such {request.about}")


def _refusal(hold: Hold, run: str, failure: str) -> str:
    if failure:
        return (
            f"AppShield could not save {hold.app} before the {hold.operation} of {hold.about}: "
            f"run {run} did not succeed ({failure}). Retry in half a minute: it is tried again."
        )
    return (
        f"AppShield saves {hold.app} before the {hold.operation} of {hold.about}: run {run} is "
        f"under way. Retry when it has ended; `appshield run {run} --wait` follows it."
    )


def _made_at(request: AdmissionRequest) -> datetime | None:
    text = str(metadata(request.before).get("creationTimestamp") or "")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
