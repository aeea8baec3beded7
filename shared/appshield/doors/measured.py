"""How long backups and restores take, as it was measured: the next one may take as long."""

from collections.abc import Iterator, Sequence

import msgspec

from appshield.application.facts import facts_of
from appshield.contracts.applications import ApplicationRecord
from appshield.language.advising import Took
from appshield.language.expression_errors import ExpressionError, UndecidedError
from appshield.language.expressions import MATCH
from appshield.language.kinds import Application, Policy, Resource


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of the active applications of a cluster.

    A document that names no namespace stands in `namespace`.
    """

    records: Sequence[ApplicationRecord] = ()
    namespace: str = "default"

    def took(self, resource: Resource) -> Took:
        """Return how long a backup and a restore take that a document is about.

        Of the applications that a policy matches the slowest one counts.
        """
        meant = list(self._meant(resource))
        return Took(
            backup_s=max((one.expected_backup_s for one in meant), default=0),
            restore_s=max(
                (one.last_restore.took_s for one in meant if one.last_restore), default=0
            ),
        )

    def _meant(self, resource: Resource) -> Iterator[ApplicationRecord]:
        if isinstance(resource, Application):
            meta = resource.metadata
            place = (meta.namespace or self.namespace, meta.name)
            yield from (one for one in self.records if (one.app.namespace, one.app.name) == place)
        if isinstance(resource, Policy):
            yield from (one for one in self.records if _matches(resource.spec.match, one))


def _matches(match: str, record: ApplicationRecord) -> bool:
    try:
        return MATCH.condition(match).holds(MATCH.values(app=facts_of(record)))
    except (ExpressionError, UndecidedError):
        return False
