"""Keys of the sources that want one: from the environment or the keyring, and shown nowhere."""

import os
from collections.abc import Iterable
from typing import NoReturn
from urllib.parse import quote, quote_plus

from lib.errors import UserError

KEYRING_SERVICE = "tradegoals"
SHOWN = "***"


class Secret:
    """A value that no text shows: `reveal` is the one way to read it."""

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the header of a request and for nothing else."""
        return self._value

    def __repr__(self) -> str:
        """Name it; the value stays unseen, also in tracebacks that show variables."""
        return f"Secret({self.name})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled, since a pickle is a file."""
        raise TypeError(f"{self.name} is secret and cannot be written")


def find_secret(name: str) -> Secret | None:
    """Return the secret of an environment variable, else of the operating system's keyring, else None.

    In the keyring it stands under the service "tradegoals" and the same name:
    `keyring set tradegoals COMTRADE_API_KEY`.
    """
    value = os.environ.get(name, "").strip() or from_keyring(name)
    if value is None:
        return None
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise UserError(f"{name}: found characters that no key has, expected letters, digits and marks")
    return Secret(name, value)


def from_keyring(name: str) -> str | None:
    """Return what the keyring keeps under a name; without `keyring`, or on a machine without one, None."""
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return None
    try:
        return (keyring.get_password(KEYRING_SERVICE, name) or "").strip() or None
    except keyring.errors.KeyringError:  # a server without a keyring has no secret in it
        return None


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text without the secrets, also where they are written as in an address."""
    for secret in secrets:
        for written in dict.fromkeys(
            (secret.reveal(), quote(secret.reveal(), safe=""), quote_plus(secret.reveal()))
        ):
            text = text.replace(written, SHOWN)
    return text


def redact_bytes(body: bytes, secrets: Iterable[Secret]) -> bytes:
    """Return a body without the secrets: a server may repeat the key that it was sent."""
    for secret in secrets:
        for written in dict.fromkeys(
            (secret.reveal(), quote(secret.reveal(), safe=""), quote_plus(secret.reveal()))
        ):
            body = body.replace(written.encode(), SHOWN.encode())
    return body
