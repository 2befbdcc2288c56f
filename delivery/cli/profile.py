"""Where the API is and with which token: options, then the environment, then a profile file.

The file is TOML, at DELIVERY_PROFILE or in the user's configuration folder:

    url = "https://delivery.example.org"
    token = "..."
"""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from delivery.cli.errors import CommandError

DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Profile:
    url: str
    token: str | None


def path() -> Path:
    """Where the profile file is looked for."""
    named = os.environ.get("DELIVERY_PROFILE")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111, does without a home
    return Path(home) / "delivery" / "profile.toml"


def find(url: str | None, token: str | None) -> Profile:
    """Options win over the file; Typer has already looked into the environment.

    The file's token goes to the file's server only. Raises CommandError for a broken file.
    """
    stored = _read(path()) if url is None or token is None else {}
    home = stored.get("url", DEFAULT_URL).rstrip("/")
    chosen = (url or home).rstrip("/")
    return Profile(chosen, token or (stored.get("token") if chosen == home else None))


def missing() -> str | None:
    """What to say where a profile is named that is not there: that of an environment which has ended, mostly."""
    if not os.environ.get("DELIVERY_PROFILE") or path().exists():
        return None
    return f"the profile file {path()} that DELIVERY_PROFILE names is not there"


def _read(file: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CommandError(
            f"the profile file {file} cannot be read: {error}", "mend it, or use --url and --token"
        ) from error
    unknown = sorted(set(document) - {"url", "token"})
    if unknown or not all(isinstance(value, str) for value in document.values()):
        raise CommandError(f"the profile file {file} may hold url and token, both texts, and nothing else")
    return document
