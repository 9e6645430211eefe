"""How a refused answer is told: where it came from, what was found, what was expected."""

from lib.errors import UserError


class NothingThere(UserError):  # noqa: N818 - an answer, if an unwelcome one
    """Status 404: for a data query of SDMX "no results matching the query", or an address that is wrong."""


def message(where: str, found: str, expected: str) -> str:
    """One line in the form that all messages here have."""
    return f"{where}: found {found}, expected {expected}"


def refuse(where: str, found: str, expected: str) -> UserError:
    """Return the error for an answer, or a part of it, that cannot be used."""
    return UserError(message(where, found, expected))
