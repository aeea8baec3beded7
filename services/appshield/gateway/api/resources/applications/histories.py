"""Which history of an application a path means, for whoever may see it."""

from appshield.contracts.applications import ApplicationRecord
from appshield.doors.naming import Wanted, histories, with_versions
from appshield.gateway.api.frame.backend import Backend


async def record_of(
    backend: Backend, namespace: str, name: str, history: str = ""
) -> ApplicationRecord:
    """Return the history that is meant: the active one, else the youngest.

    Raises:
        NotFoundError: there is none.
    """
    return histories(await _here(backend), Wanted(name=name, namespace=namespace), history)[0]


async def record_to_read(
    backend: Backend, namespace: str, name: str, history: str = ""
) -> ApplicationRecord:
    """Return the history whose versions are shown: as `record_of`, of those that have any.

    Raises:
        NotFoundError: there is none.
    """
    found = histories(await _here(backend), Wanted(name=name, namespace=namespace), history)
    return next((record for record in found if record.last_version), found[0])


async def record_with_versions(
    backend: Backend, namespace: str, name: str, history: str = ""
) -> ApplicationRecord:
    """Return the history whose versions are to be restored, changed or removed: never a guess.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: several have versions, and `history` names none of them.
    """
    return with_versions(await _here(backend), Wanted(name=name, namespace=namespace), history)


async def _here(backend: Backend) -> list[ApplicationRecord]:
    """List what is known of the gateway's own cluster: rights are asked for in no other."""
    known = await backend.views.applications()
    return [record for record in known if record.app.cluster == backend.cluster]
