"""A watch sink that keeps what it is told, for tests of reflectors."""

from appshield.errors import UnavailableError
from appshield.kubernetes import Object


class Mirror:
    """The objects by name, and every call in order."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.calls: list[tuple[str, str]] = []
        self.refuse = 0

    @property
    def names(self) -> set[str]:
        """The names of the objects that exist."""
        return set(self.objects)

    async def replace(self, objects: list[Object]) -> None:
        self._may_refuse()
        self.objects = {obj["metadata"]["name"]: obj for obj in objects}
        self.calls.append(("replace", ",".join(sorted(self.objects))))

    async def changed(self, obj: Object) -> None:
        self._may_refuse()
        self.objects[obj["metadata"]["name"]] = obj
        self.calls.append(("changed", obj["metadata"]["name"]))

    async def deleted(self, obj: Object) -> None:
        self._may_refuse()
        self.objects.pop(obj["metadata"]["name"], None)
        self.calls.append(("deleted", obj["metadata"]["name"]))

    def _may_refuse(self) -> None:
        if self.refuse:
            self.refuse -= 1
            raise UnavailableError("the mirror refuses as the test asked")
