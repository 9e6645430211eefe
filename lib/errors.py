"""The one error that a user's mistake raises."""


class UserError(ValueError):
    """A mistake in the input: the message says where, what was found and what was expected.

    The command line prints the message alone; in a notebook IPython calls `_render_traceback_`,
    so that the reader sees the message instead of a stack of frames.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"Error: {self}"]
