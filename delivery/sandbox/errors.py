"""What keeps the local environment from starting."""


class CannotStart(Exception):
    """The text is for people: the cause, and what to do."""
