"""Send bytes, guided by coverage, to every reader of bytes from outside: a sound result or a `UserError`.

    pip install atheris            # not among the project's dependencies; Linux and macOS
    python tests/fuzz/fuzz_sources.py -runs=60000 -seed=1
    python tests/fuzz/fuzz_sources.py crash-…     # once more what failed

The first byte of an input chooses the reader. Each starts from its sound sample and a few damaged ones, in a temporary
folder that is gone afterwards.
"""

import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["lib.tools.sources"]):
    import sources_readers

from lib.errors import UserError

READERS = list(sources_readers.READERS.values())


def try_one(data: bytes) -> None:
    """Read one input; only a `UserError` may come of it."""
    if not data:
        return
    try:
        READERS[data[0] % len(READERS)].read(data[1:])
    except UserError:
        return


def main() -> None:
    """Write the first inputs and start."""
    with tempfile.TemporaryDirectory() as folder:
        for number, reader in enumerate(READERS):
            for name, body in (("whole", reader.sample), ("half", reader.sample[: len(reader.sample) // 2])):
                (Path(folder) / f"{number}-{name}").write_bytes(bytes([number]) + body)
        given = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
        atheris.Setup([*sys.argv, *([] if given else [folder])], try_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
