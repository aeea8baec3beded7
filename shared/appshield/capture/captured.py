"""An application at one point in time, without its data.

It can hold secrets (objects of kind Secret, commands of hooks), so it never travels on the bus: it
is staged and stored sealed. Readers skip fields that they do not know; fields are only added.
"""

from typing import Any, Literal

import msgspec

Object = dict[str, Any]

FORMAT = 1


class CapturedHook(msgspec.Struct, frozen=True, kw_only=True):
    """A command in a container of the component; `container` empty means its first one."""

    command: tuple[str, ...]
    container: str = ""
    timeout_s: float = 30
    on_error: Literal["fail", "continue"] = "fail"
    pods: Literal["any", "all", "leader"] = "all"


class CapturedComponent(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the application with the hooks that make its state consistent."""

    name: str
    workload_kind: str = ""
    workload_name: str = ""
    strategy: Literal["snapshot", "one-replica", "dump", "none"] = "snapshot"
    quiesce: CapturedHook | None = None
    resume: CapturedHook | None = None
    dump: CapturedHook | None = None
    load: CapturedHook | None = None
    data_of: str = ""


class CapturedVolume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume of the application and how it was read."""

    claim: str
    component: str = ""
    method: Literal["snapshot", "live"]
    reason: str = ""


class CapturedImage(msgspec.Struct, frozen=True, kw_only=True):
    """The image that a container was running: its name and the digest of its manifest."""

    workload: str
    container: str
    image: str
    digest: str


class CapturedApplication(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of an application but its data.

    `document` is the Application object, cleaned; `objects` are its members, cleaned, their images
    as `name:tag@digest`.
    """

    format: int = FORMAT
    namespace: str
    name: str
    uid: str
    revision: str
    document: Object
    objects: tuple[Object, ...]
    components: tuple[CapturedComponent, ...] = ()
    volumes: tuple[CapturedVolume, ...] = ()
    images: tuple[CapturedImage, ...] = ()
    warnings: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Write it as JSON, the same bytes for the same content."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def decode(cls, content: bytes) -> "CapturedApplication":
        """Read it back.

        Raises:
            msgspec.MsgspecError: the content is something else.
        """
        return msgspec.json.decode(content, type=cls)
