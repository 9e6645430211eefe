"""What all parameters have in common: checked before a kernel starts, and again in the notebook's second cell.

Papermill lets an unknown name pass and turns `true` into text; here a wrong name, type or combination is an
error that names the parameter, what was found, what was expected and the nearest valid name.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from lib.errors import UserError
from lib.goals import shorten


class Case(BaseModel):
    """The parameters of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, str_max_length=200)

    @classmethod
    def from_cell(cls, namespace: Mapping[str, Any]) -> Self:
        """Check the values that a notebook's parameters cell defines; call it with `locals()`."""
        return cls.check({name: namespace[name] for name in cls.model_fields if name in namespace})

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> Self:
        """Check values by name; every fault is reported at once.

        Raises
        ------
        UserError
            Naming each parameter, what was found, what was expected, and the nearest valid name.
        """
        try:
            case = cls.model_validate({name: _plain(value) for name, value in values.items()})
        except ValidationError as error:
            raise UserError("\n".join(_explain(cls, fault) for fault in error.errors())) from None
        case.check_against_data()
        return case

    def check_against_data(self) -> None:
        """Refuse what no data can answer; a case that needs no data refuses nothing."""

    def title(self) -> str:
        """One line that names the case."""
        raise NotImplementedError


def slug(case: Case) -> str:
    """Readable key of a parameter set for folders and addresses: what differs from the defaults, in order."""
    defaults = type(case)()
    parts = [
        f"{name}-{slugify(str(getattr(case, name)))}"
        for name in type(case).model_fields
        if getattr(case, name) != getattr(defaults, name)
    ]
    return "_".join(parts) or "default"


def slugify(text: str) -> str:
    """Text as it may stand in a folder's name or an address; a leading minus becomes a word."""
    signed = re.sub(r"^[−-](?=[0-9])", "minus-", text.strip().lower())
    return re.sub(r"[^a-z0-9]+", "-", signed).strip("-") or "x"


def _plain(value: Any) -> Any:
    """Numbers of NumPy become plain ones; all else stays."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value


def nearest(name: str, valid: Any) -> str:
    """A hint at the valid name that a wrong one is closest to; empty where none is close."""
    close = difflib.get_close_matches(name, list(valid), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _explain(model: type[BaseModel], fault: Any) -> str:
    """One line of plain words for one pydantic fault."""
    name = str(fault["loc"][0])
    found = shorten(repr(fault["input"]))
    if fault["type"] == "extra_forbidden":
        names = ", ".join(model.model_fields)
        hint = nearest(name, model.model_fields)
        return f"{shorten(repr(name)[1:-1])}: found an unknown parameter, expected one of {names}{hint}"
    expected = re.sub("^(Value error, |Input should be |String should have )", "", fault["msg"])
    hint = ""
    if fault["type"] == "literal_error" and isinstance(fault["input"], str):
        hint = nearest(fault["input"], re.findall(r"'([^']*)'", fault["ctx"]["expected"]))
    return f"{name}: found {found}, expected {expected}{hint}"
