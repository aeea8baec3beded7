"""What the supervisor writes down about its components, and what can be believed of it.

The file is rewritten as a whole at each change. It is a note, not a proof: whoever reads it asks
/proc whether a process of this id, start and mark is there.
"""

from pathlib import Path

import msgspec

from appshield.local.cluster.processes import carries_mark, read_process


class ComponentState(msgspec.Struct, frozen=True):
    """One component as the supervisor sees it."""

    pid: int = 0
    """0: it does not run now."""
    start_ticks: int = 0
    started_at: float = 0.0
    """When it was started last, in seconds since 1970."""
    ready: bool = False
    starts: int = 0
    last_exit: int | None = None
    """Exit code of the run before, negative for a signal."""


class State(msgspec.Struct, frozen=True):
    """The supervisor and all that it runs."""

    plan: str
    """Digest of programs and settings: another one means that the cluster must be restarted."""
    components: dict[str, ComponentState] = {}
    images: dict[str, str] = {}
    """References by digest of the images that are in the registry from the start."""
    steps: tuple[str, ...] = ()
    """The steps that are done."""


def read_state(file: Path) -> State | None:
    """The last note of a supervisor, or None."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=State)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def is_alive(component: ComponentState, home: Path) -> bool:
    """Whether exactly the process that was started is still there, and is ours."""
    process = read_process(component.pid) if component.pid else None
    same = process is not None and process.start_ticks == component.start_ticks
    return same and carries_mark(component.pid, home)


class StateFile:
    """The supervisor's side: every change is on disk before the call returns."""

    def __init__(self, file: Path, plan: str) -> None:
        self._file = file
        self._state = State(plan=plan)
        self._write()

    def started(self, name: str, pid: int, *, at: float) -> None:
        """A component was started, at this time or a moment later (in seconds since 1970)."""
        known = self._state.components.get(name, ComponentState())
        process = read_process(pid)
        self._put(
            name,
            ComponentState(
                pid=pid,
                start_ticks=process.start_ticks if process else 0,
                started_at=at,
                starts=known.starts + 1,
                last_exit=known.last_exit,
            ),
        )

    def ready(self, name: str) -> None:
        """A component does its work now."""
        self._put(name, msgspec.structs.replace(self._state.components[name], ready=True))

    def ended(self, name: str, code: int) -> None:
        """A component has ended."""
        known = self._state.components[name]
        self._put(name, msgspec.structs.replace(known, pid=0, ready=False, last_exit=code))

    def done(self, step: str) -> None:
        """A step is done."""
        self._state = msgspec.structs.replace(self._state, steps=(*self._state.steps, step))
        self._write()

    def images(self, references: dict[str, str]) -> None:
        """The images are in the registry."""
        self._state = msgspec.structs.replace(self._state, images=references)
        self._write()

    def _put(self, name: str, component: ComponentState) -> None:
        components = {**self._state.components, name: component}
        self._state = msgspec.structs.replace(self._state, components=components)
        self._write()

    def _write(self) -> None:
        unfinished = self._file.with_suffix(".new")
        unfinished.write_bytes(msgspec.json.encode(self._state))
        unfinished.rename(self._file)
