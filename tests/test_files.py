"""A stop at any moment leaves the old file or the new one, and nothing beside it."""

import os
import stat
from pathlib import Path

import pytest

from lib.errors import UserError
from lib.files import working_folder, write_atomically


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
        assert str(caught.value) == f"a.txt: cannot be written in {tmp_path}: No space left on device"


def test_a_folder_in_the_place_of_the_file_is_a_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(UserError, match=r"a\.txt: cannot be written"):
        write_atomically(tmp_path / "a.txt", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_missing_folder_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.txt: cannot be written"):
        write_atomically(tmp_path / "none" / "a.txt", "x")


def test_a_working_folder_is_gone_afterwards(tmp_path: Path) -> None:
    beside = tmp_path / "deep" / "folder"
    with working_folder(beside) as working:
        (working / "draft").write_text("x")
        assert working.parent == beside
    assert list(beside.iterdir()) == []


def test_a_working_folder_is_gone_after_an_interrupt(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), working_folder(tmp_path) as working:
        (working / "draft").write_text("x")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_is_needed_is_a_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(UserError, match="cannot be written"), working_folder(tmp_path / "out" / "runs"):
        pass
