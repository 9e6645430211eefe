"""A stop at any moment leaves the old file or the new one, and nothing beside it; what others wrote is read safely."""

import contextlib
import json
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lib import fetched, tables
from lib.errors import UserError, printable, quote, read_bytes
from lib.research.files import _finish_together, _write_together, make_folder, write_atomically
from lib.tools.commands import author
from lib.tools.run import freshness, matrix, results_table
from lib.tools.strict import parse_yaml, read_json


def test_text_is_written_as_utf8_with_unix_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "哈尔滨 – 25 %\n")
    assert path.read_bytes() == "哈尔滨 – 25 %\n".encode()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.txt", "x")
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o644


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_stop_before_the_renaming_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "old")

    def fail(*_: object) -> None:
        raise stop

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((KeyboardInterrupt, UserError)) as caught:
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    if isinstance(stop, OSError):
        assert str(caught.value) == f"{tmp_path / 'a.txt'}: cannot be written: No space left on device"


def test_a_folder_in_the_place_of_the_file_is_a_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(UserError, match=r"a\.txt: cannot be written"):
        write_atomically(tmp_path / "a.txt", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_missing_folder_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.txt: cannot be written"):
        write_atomically(tmp_path / "none" / "a.txt", "x")


def test_a_file_where_a_folder_is_needed_is_a_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(UserError, match="cannot be written"):
        make_folder(tmp_path / "out" / "runs")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_files_written_together_are_all_old_or_once_finished_all_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    """A stop before each write and each renaming."""
    old, new = (dict.fromkeys("abc", content) for content in (b"old", b"new"))
    found = []
    for step in range(1, 40):
        for name, content in old.items():
            (tmp_path / name).write_bytes(content)
        calls = iter(range(step))
        with monkeypatch.context() as patch:
            for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "rename"), (Path, "rmdir")):
                patch.setattr(owner, name, _stopping(getattr(owner, name), calls, stop))
            try:
                _write_together(tmp_path, new)
                break
            except (KeyboardInterrupt, UserError) as error:
                assert isinstance(error, KeyboardInterrupt) or "No space left on device" in str(error)
        _finish_together(tmp_path)
        found.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    assert step > 8
    assert found == sorted(
        found, key=lambda files: files != old
    )  # old ones, then new ones, and nothing beside
    assert all(files in (old, new) for files in found) and old in found and new in found


def _stopping(
    call: Callable[..., object], calls: Iterator[int], stop: BaseException
) -> Callable[..., object]:
    def stopped(*arguments: object, **named: object) -> object:
        if next(calls, None) is None:
            raise stop
        return call(*arguments, **named)

    return stopped


# What others wrote: bounded time, one line, whatever it holds.

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

HOSTILE = {
    "alias bomb": (BOMB, "aliases filled in"),
    "recursive alias": ("a: &a [*a]", "nested deeper"),
    "recursive mapping": ("a: &a {b: *a}", "nested deeper"),
    "nesting": ("[" * 1_000, "nested deeper"),
    "nesting that ends": ("[" * 100 + "]" * 100, "nested deeper"),
    "nested by lines": ("".join(" " * depth + "a:\n" for depth in range(300)), "nested deeper"),
    "a key twice": ("a: 1\nb: {c: 1, c: 2}", "f.yml:2: found c a second time"),
    "size": ("- a\n" * 30_000, "120,000 bytes"),
    "half a character": ('a: "\\ud800"', "half of a character"),
    "another encoding": ("a: é".encode("latin-1"), "utf-8"),
    "UTF-16": ("a: 1".encode("utf-16"), "utf-8"),
    "a null": ("a: \0", "special characters"),
    "a list for a key": ("? [a]\n: b", "a key that is no text"),
    "an object": ("a: !!python/object/apply:os.system [exit]", None),
    "two documents": ("a: 1\n---\nb: 2", "f.yml:2"),
}


@pytest.mark.parametrize(("text", "words"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_yaml_is_refused_in_one_line_or_is_text(text: str | bytes, words: str | None) -> None:
    content = text.encode() if isinstance(text, str) else text
    if words is None:  # a tag names nothing that anybody would make
        assert parse_yaml(content, "f.yml") == {"a": ["exit"]}
        return
    with pytest.raises(UserError) as caught:
        parse_yaml(content, "f.yml")
    assert words in str(caught.value)
    assert str(caught.value).startswith("f.yml") and "\n" not in str(caught.value)


TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl")), max_size=8)


@given(
    st.recursive(TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))
)
def test_yaml_that_another_program_wrote_is_read_as_it_was(value: object) -> None:
    assert parse_yaml(yaml.safe_dump(value, allow_unicode=True).encode(), "f.yml") == value


@given(st.binary(max_size=60) | st.text("[]{}&*a:-,\"'? \n!|>#%@`", max_size=60).map(str.encode))
def test_whatever_the_bytes_yaml_is_a_value_or_a_users_mistake(content: bytes) -> None:
    with contextlib.suppress(UserError):
        json.dumps(parse_yaml(content, "f.yml"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', 'the key "a" a second time'),
        ('{"a": {"b": 1, "b": 1}}', 'the key "b" a second time'),
        ('{"a": NaN}', "float values are not JSON"),
        ('{"a": 1e999}', "float values are not JSON"),
        ('{"a": "\\ud800"}', "surrogates not allowed"),
        ("[" * 100_000, "nested too deep"),
        ("9" * 5000, "digits"),
        (b"\xff", "no valid JSON"),
        ("", "no valid JSON"),
    ],
)
def test_json_that_says_two_things_or_none_is_refused(tmp_path: Path, text: str | bytes, words: str) -> None:
    path = tmp_path / "case.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(UserError, match=r"^case\.json: found no valid JSON") as caught:
        read_json(path)
    assert words in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("kind", ["pipe", "folder"])
@pytest.mark.parametrize(
    "read",
    [
        read_bytes,
        read_json,
        results_table.read_result,
        fetched.read_file,
        author._read_notebook,
        matrix.expand,
        tables.check_table,
    ],
    ids=lambda read: read.__name__,
)
def test_a_pipe_or_folder_in_the_place_of_a_file_is_a_users_mistake_and_nobody_waits(
    tmp_path: Path, read: Callable[..., object], kind: str
) -> None:
    path = tmp_path / "file"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    arguments = ("figures", path) if read is tables.check_table else (path,)
    with pytest.raises(UserError, match=r"file.*([Rr]egular file|directory)"):
        read(*arguments)
    assert freshness.hash_file(path) == "" and freshness.read_journal(path) is None


@given(st.text())
def test_no_message_holds_what_a_terminal_would_obey(text: str) -> None:
    for shown in (printable(text), quote(text)):
        assert not any(
            unicodedata.category(sign) in ("Cc", "Cf", "Cs") for sign in shown if sign not in "\n\t"
        )
    assert printable("\x1b[2J\r\u202e") == "\\x1b[2J\\r\\u202e"
    assert printable("哈尔滨 – 25 %\n\tyes") == "哈尔滨 – 25 %\n\tyes"
