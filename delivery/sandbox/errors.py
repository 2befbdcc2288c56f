"""What keeps the local environment from starting or from going on. The texts are for people."""


class CannotStart(Exception):
    """The cause, and what to do."""


class Stopped(Exception):
    """It was asked to end, or a part of it kept dying."""
