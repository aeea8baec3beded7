"""From the reactions of a Policy to what the planner has to know of them. Pure.

The address of a webhook and its Secret stay in the document: who sends reads them there.
"""

from appshield.contracts.health import (
    Action,
    BackupAction,
    NotifyAction,
    PauseAction,
    Reaction,
    RestoreAction,
    RestoreChoice,
)
from appshield.language import defaults
from appshield.language.protection import RestoreAction as WrittenRestore
from appshield.language.reaction_names import digest_of
from appshield.language.resolved import ResolvedReaction
from appshield.language.values import seconds

_CHOICES: dict[str, RestoreChoice] = {
    "last-good": "last-good",
    "last-verified": "last-verified",
}


def reaction_of(reaction: ResolvedReaction) -> Reaction:
    """Say what a reaction watches and does."""
    limit = reaction.at_most
    return Reaction(
        digest=digest_of(reaction),
        when=reaction.when,
        action=_action(reaction),
        lasts_s=reaction.lasts_s,
        at_most=limit.count if limit else 0,
        at_most_in_s=limit.window_s if limit else 0,
    )


def _action(reaction: ResolvedReaction) -> Action:
    do = reaction.do
    if do.restore is not None:
        return _restore(do.restore)
    if do.notify is not None:
        return NotifyAction(signal=do.notify.signal or "", webhook=bool(do.notify.webhook))
    if do.pause is not None:
        return PauseAction(lasts_s=seconds(do.pause.lasts) if do.pause.lasts else 0)
    return BackupAction()


def _restore(written: WrittenRestore) -> RestoreAction:
    choice = _CHOICES.get(written.version)
    return RestoreAction(
        choice=choice or "last-good",
        number=0 if choice else int(written.version),
        namespace=written.to or "",
        approved_by_person=(written.approve or defaults.REACTION_APPROVAL) == "manual",
    )
