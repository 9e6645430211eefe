"""Keys of the sources that want one: from the environment or the keyring, and shown nowhere."""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn
from urllib.parse import quote, quote_plus

from lib.errors import UserError

KEYRING_SERVICE = "tradegoals"

SHOWN = "***"

LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")


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

    def __format__(self, form: str) -> str:
        """As `repr`, in whatever form."""
        return format(repr(self), form)

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


def ways(secret: Secret) -> tuple[str, ...]:
    """Return the ways in which a secret may be written: as it is, and as in an address."""
    value = secret.reveal()
    return tuple(dict.fromkeys((value, quote(value, safe=""), quote_plus(value))))


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text without the secrets."""
    for secret in secrets:
        for written in ways(secret):
            text = text.replace(written, SHOWN)
    return text


def redact_bytes(body: bytes, secrets: Iterable[Secret]) -> bytes:
    """Return a body without the secrets: a server may repeat the key that it was sent."""
    for secret in secrets:
        for written in ways(secret):
            body = body.replace(written.encode(), SHOWN.encode())
    return body


class RedactLog(logging.Filter):
    """Keeps a secret out of log lines, such as those of httpcore, which show the headers of answers."""

    def __init__(self, secrets: list[Secret]) -> None:
        super().__init__()
        self.secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line pass, redacted."""
        if self.secrets:
            record.msg, record.args = redact(record.getMessage(), self.secrets), None
        return True


@contextmanager
def redacted_log(secrets: list[Secret]) -> Iterator[None]:
    """Redact what the HTTP library logs while a request with a key is under way."""
    loggers, redacting = [logging.getLogger(name) for name in LOGGERS], RedactLog(secrets)
    for logger in loggers:
        logger.addFilter(redacting)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(redacting)
