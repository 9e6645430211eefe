"""Keys of the sources that want one: from the environment or the keyring, and shown nowhere."""

import base64
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import NoReturn

from lib.errors import UserError

KEYRING_SERVICE = "tradegoals"
SHOWN = "***"
SHORTEST_ENCODED = 8  # characters: of a shorter key base64 would be found in any text
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


@lru_cache(maxsize=8)
def _pattern(value: str) -> re.Pattern[str]:
    """Find a secret however a server may write it back.

    Each of its characters may stand as it is, in the other case, or escaped as in addresses, JSON, Python or HTML; the whole
    may be hexadecimal, or base64 at any of three offsets.
    """
    characters = []
    for character in value:
        number, plain = ord(character), re.escape(character)
        escaped = [rf"%(?:25)?{number:02x}", rf"\\u00{number:02x}", rf"\\x{number:02x}", rf"\\{plain}"]
        characters.append("|".join([plain, *escaped, f"&#0*{number};", f"&#x0*{number:x};"]))
    whole = ["".join(f"(?:{forms})" for forms in characters)]
    if len(value) >= SHORTEST_ENCODED:
        whole.append(value.encode().hex())
        for offset in range(3):
            coded = base64.b64encode(b"\0" * offset + value.encode()).decode().rstrip("=")
            # The first and last characters also hold bits of what stands beside the secret.
            inner = coded[(0, 2, 3)[offset] : len(coded) - ((len(value) + offset) % 3 > 0)]
            whole += [re.escape(inner), re.escape(inner.replace("+", "-").replace("/", "_"))]
    return re.compile("|".join(whole), re.IGNORECASE)


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text without the secrets."""
    for secret in secrets:
        text = _pattern(secret.reveal()).sub(SHOWN, text)
    return text


def redact_bytes(body: bytes, secrets: Iterable[Secret]) -> bytes:
    """Return a body without the secrets, in whatever encoding: a server may repeat the key that it was sent."""
    for secret in secrets:
        for encoding in ("latin-1", *(("utf-16-le", "utf-16-be") if b"\0" in body else ())):
            text = body.decode(encoding, errors="ignore")
            if (redacted := redact(text, [secret])) != text:
                body = redacted.encode(encoding, errors="ignore")
    return body


@contextmanager
def redacted_log(secrets: list[Secret]) -> Iterator[None]:
    """Redact what the HTTP library logs, such as headers of answers, while a request with a key is under way."""

    def redacting(record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage(), secrets), None
        return True

    loggers = [logging.getLogger(name) for name in LOGGERS] if secrets else []
    for logger in loggers:
        logger.addFilter(redacting)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(redacting)
