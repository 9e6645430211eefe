"""Who publishes what: address, licence, pace, which command asks for it; and the key that it wants, shown nowhere."""

import base64
import os
import re
import tomllib
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

from pydantic import SecretStr

from lib.errors import UserError, nearest, quote

DESCRIBED = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
Publisher = SimpleNamespace
PUBLISHERS = {
    name: Publisher(source=name, url=facts["base"], **DESCRIBED["usual"] | facts)
    for name, facts in DESCRIBED["sources"].items()
}
"""What publishers.toml says of each source; the file says what each word means."""

PLAIN_HOSTS = ("english.customs.gov.cn",)  # may be asked without TLS, and only where the user allows it


def publisher(source: str, command: str) -> Publisher:
    """Return what is known of a source that a command asks."""
    known = [name for name, facts in PUBLISHERS.items() if facts.command == command]
    if source not in known:
        raise UserError(f"source: found {quote(source)}, expected {nearest(source, known)}")
    return PUBLISHERS[source]


def base_of(source: str, allow_http: bool = False) -> str:
    """Return a source's base address, `TRADEGOALS_<SOURCE>_URL` or its own; without TLS only where allowed."""
    base = os.environ.get(f"TRADEGOALS_{source.upper()}_URL") or PUBLISHERS[source].base
    parts = urlsplit(base)
    if allow_http and parts.hostname in PLAIN_HOSTS:
        return base.replace("https://", "http://", 1).rstrip("/")
    if parts.username or parts.password:
        raise UserError("address: found a name or password in it, expected it without")
    here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not parts.hostname or not (parts.scheme == "https" or here):
        raise UserError(f"address: found {quote(base)}, expected https:// (http:// only on this machine)")
    return base.rstrip("/")


def key_of(source: str) -> SecretStr | None:
    """Return a source's key, of the environment, else of the keyring (`keyring set tradegoals COMTRADE_API_KEY`), or None."""
    if not (name := PUBLISHERS[source].key):
        return None
    if not (value := os.environ.get(name, "").strip()):
        import keyring
        import keyring.errors

        with suppress(keyring.errors.KeyringError):  # a server has none
            value = (keyring.get_password("tradegoals", name) or "").strip()
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise UserError(f"{name}: found characters that no key has, expected letters, digits and marks")
    return SecretStr(value) if value else None


@lru_cache(maxsize=8)
def _pattern(value: str) -> re.Pattern[str]:
    """Find a secret however a server writes it back: each character in any case or escaped, or the whole in hex or base64."""
    forms = r"(?:{0}|%(?:25)?{1:02x}|\\u00{1:02x}|\\x{1:02x}|\\{0}|&#0*{1};|&#x0*{1:x};)"
    whole = ["".join(forms.format(re.escape(character), ord(character)) for character in value)]
    if len(value) >= 8:  # of a shorter key base64 would be found in any text
        whole.append(value.encode().hex())
        for offset in range(3):
            coded = base64.b64encode(b"\0" * offset + value.encode()).decode().rstrip("=")
            # The first and last characters also hold bits of what stands beside the secret.
            inner = coded[(0, 2, 3)[offset] : len(coded) - ((len(value) + offset) % 3 > 0)]
            whole += [re.escape(inner), re.escape(inner.replace("+", "-").replace("/", "_"))]
    return re.compile("|".join(whole), re.IGNORECASE)


def redact(text: str, secret: SecretStr | None) -> str:
    """Return a text without the secret."""
    return _pattern(secret.get_secret_value()).sub("***", text) if secret else text


def redact_bytes(body: bytes, secret: SecretStr | None) -> bytes:
    """Return a body without the secret, in whatever encoding: a server may repeat the key that it was sent."""
    encodings = ("latin-1", *(("utf-16-le", "utf-16-be") if b"\0" in body else ()))
    for encoding in encodings if secret else ():
        text = body.decode(encoding, errors="ignore")
        if (redacted := redact(text, secret)) != text:
            body = redacted.encode(encoding, errors="ignore")
    return body
