"""What a seed decides: how long things take, what fails, who dies and who is stopped.

All of it ends when `calm` is set: from then on everything works, and takes no time. When `over` is
set nothing is done any more.
"""

import random
from typing import Literal

import msgspec

from appshield.errors import UnavailableError

LONGEST_STOP_S = 45.0
Moment = Literal["before", "after"]
Accident = Literal["kill", "stop", "fail before", "fail after", "lost acknowledgement"]


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How probable each accident is, at each effect of a process."""

    kill: float = 0.01
    stop: float = 0.01
    outage: float = 0.01
    lost_acknowledgement: float = 0.05
    slow: float = 0.2
    kills_max: int = 4


class Chance:
    """Draws from one seed, in the order in which it is asked."""

    def __init__(self, seed: int, rates: Rates | None = None) -> None:
        self.random = random.Random(seed)
        self.calm = False
        self.over = False
        draw = self.random.choice
        self._rates = rates or Rates(
            kill=draw((0.0, 0.005, 0.02, 0.05)),
            stop=draw((0.0, 0.01, 0.03)),
            outage=draw((0.0, 0.01, 0.03)),
            lost_acknowledgement=draw((0.0, 0.05, 0.2)),
            slow=draw((0.05, 0.3)),
        )
        self.short_memory = draw((True, False))
        """Whether the bus forgets at once which messages it has stored before."""
        self._kills = 0

    def delay_s(self) -> float:
        """Say how long a message or an effect is under way."""
        if self.calm or self.random.random() >= self._rates.slow:
            return 0.001
        return self.random.choice((0.01, 0.1, 1.0, 4.0))

    def kills(self) -> bool:
        """Whether the process ends here, as by SIGKILL."""
        if not self._happens(self._rates.kill) or self._kills >= self._rates.kills_max:
            return False
        self._kills += 1
        return True

    def stopped_s(self) -> float:
        """Say for how long the process is stopped here, as by SIGSTOP; mostly not at all."""
        if not self._happens(self._rates.stop):
            return 0.0
        return self.random.choice((5.0, 10.0, 20.0, LONGEST_STOP_S))

    def fail(self, moment: Moment) -> None:
        """Maybe let an effect fail for its caller, before or after it was done."""
        if self._happens(self._rates.outage / 2):
            raise UnavailableError("the bus does not answer", why=f"simulated, {moment} the effect")

    def loses_acknowledgement(self) -> bool:
        """Whether a message that was handled comes again."""
        return self._happens(self._rates.lost_acknowledgement)

    def _happens(self, rate: float) -> bool:
        return not self.calm and self.random.random() < rate


class ToldChance(Chance):
    """Does not draw accidents: each is told, and comes when it was asked for so many times."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, Rates(kill=0, stop=0, outage=0, lost_acknowledgement=0, slow=0.2))
        self._coming: dict[Accident, int] = {}

    def tell(self, accident: Accident, nth: int) -> None:
        """Let an accident happen at the n-th time from now at which it could."""
        self._coming[accident] = nth

    def kills(self) -> bool:
        return self._comes("kill")

    def stopped_s(self) -> float:
        return self.random.choice((10.0, LONGEST_STOP_S)) if self._comes("stop") else 0.0

    def fail(self, moment: Moment) -> None:
        if self._comes("fail before" if moment == "before" else "fail after"):
            raise UnavailableError("the bus does not answer", why=f"simulated, {moment} the effect")

    def loses_acknowledgement(self) -> bool:
        return self._comes("lost acknowledgement")

    def _comes(self, accident: Accident) -> bool:
        left = self._coming.pop(accident, 0)
        if left > 1 and not self.calm:
            self._coming[accident] = left - 1
        return left == 1 and not self.calm
