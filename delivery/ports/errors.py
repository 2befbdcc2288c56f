"""What can go wrong behind a port, in the engine's words. Adapters translate their libraries' errors into these."""


class PortError(Exception):
    """Something behind a port failed; the text is for people."""


class Unavailable(PortError):
    """It did not answer in time, or said that it cannot now. Whether a write was applied is unknown.

    The text may name hosts and users; `plain` is the cause for people whom nobody knows.
    """

    def __init__(
        self, text: str, retry_after: float | None = None, plain: str = "something behind this service does not answer"
    ) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        self.plain = plain


class Conflict(PortError):
    """The thing is no longer what the writer had read. Nothing was written."""


class Refused(PortError):
    """It was understood and refused; repeating it will not help. The text is in the other side's own words."""


class TooNew(PortError):
    """Another version of this service, a newer one, stored this: nothing is wrong with it, but we cannot read it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was written by a newer version of this service, which has to be asked for it")
