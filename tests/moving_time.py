"""A clock of seconds that moves only when a test moves it."""


class MovingTime:
    """Tells the seconds in `now_s`."""

    def __init__(self, now_s: float = 0.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s
