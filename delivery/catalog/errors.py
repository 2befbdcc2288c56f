"""What reading a service file can raise."""

from delivery.model.mistake import Invalid, Mistake

__all__ = ["Invalid", "Mistake"]
