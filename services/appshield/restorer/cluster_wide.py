"""What an application shares with its whole cluster, when it comes back: made only where absent.

Definitions, rights and classes may serve others by now: one that is there stays as it is, and is
told of where it differs from the version's. Classes of storage describe the machines of one cluster
and are made only when a path of the restore names them: who restores elsewhere has to choose.
"""

import contextlib
from collections.abc import Sequence

from appshield.capture.layout import manifest_path
from appshield.errors import NotFoundError
from appshield.kubernetes import AlreadyExistsError, Cluster, Object
from appshield.manifests.cleaning import clean, differences
from appshield.manifests.kinds import MADE_WHEN_NAMED
from appshield.manifests.objects import group_of
from appshield.manifests.relocating import link_owners
from appshield.restorer.targets import described, kind_of, standing
from appshield.service import together

_DIFFERENCES_MAX = 3


def is_shared(obj: Object) -> bool:
    """Say whether an object belongs to the whole cluster and not to the application's namespace."""
    return not obj["metadata"].get("namespace") and obj["kind"] != "Namespace"


async def absent(
    cluster: Cluster, objects: list[Object], paths: Sequence[str]
) -> tuple[list[Object], tuple[str, ...]]:
    """Choose the shared objects that would be made; tell of the others what a person must know.

    `paths` are those of the restore: parts of the version, as it lists them.
    """
    shared = [obj for obj in objects if is_shared(obj)]
    found = await together(standing(cluster, obj) for obj in shared)
    pairs = list(zip(shared, found, strict=True))
    wanted = [obj for obj, there in pairs if there is None and _may_be_made(obj, paths)]
    told = [text for obj, there in pairs if (text := _told(obj, there, paths))]
    return wanted, tuple(told)


async def make_where_absent(cluster: Cluster, obj: Object, paths: Sequence[str]) -> Object | None:
    """Make a shared object unless it is there; return it as it is there, or None if it may not be.

    Raises:
        NotFoundError: the cluster does not serve its kind.
    """
    if not _may_be_made(obj, paths):
        return None
    kind = await kind_of(cluster, obj)
    if kind is None:
        raise NotFoundError(
            f"{described(obj)} cannot be restored",
            why=f"this cluster does not serve {obj['apiVersion']}",
            next_step="Install what defines that kind, then restore again.",
        )
    with contextlib.suppress(AlreadyExistsError):
        return await cluster.create(kind, link_owners(obj, {}))
    return await standing(cluster, obj)


def _may_be_made(obj: Object, paths: Sequence[str]) -> bool:
    folder = manifest_path(obj).rpartition("/")[0]
    named = any(path.startswith(folder) for path in paths)
    return named or (group_of(obj), obj["kind"]) not in MADE_WHEN_NAMED


def _told(obj: Object, there: Object | None, paths: Sequence[str]) -> str:
    if there is None and not _may_be_made(obj, paths):
        return (
            f"{described(obj)} is not in this cluster and is not made, as it describes the storage "
            "of another one; what names it waits until it is there (a restore with `--path "
            f"{manifest_path(obj)}` makes it)"
        )
    if there is None:
        return ""
    different = differences(obj, clean(there))
    if not different:
        return ""
    more = len(different) - _DIFFERENCES_MAX
    shown = "; ".join(different[:_DIFFERENCES_MAX]) + (f"; and {more} more" if more > 0 else "")
    return f"{described(obj)} is there already, differs from the version's and stays ({shown})"
