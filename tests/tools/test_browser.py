"""The watch on pages: what it lets pass, what it records, what axe finds."""

from pathlib import Path
from typing import Any

import pytest
from browser import axe_faults
from sampling import exhaustive, some

PAGE = "<!doctype html><html lang=en><title>t</title><main><h1>t</h1>{}</main></html>"


def _page(folder: Path, body: str) -> Path:
    path = folder / "page.html"
    path.write_text(PAGE.format(body), encoding="utf-8")
    return path


def test_a_plain_page_passes_from_disk_and_over_http(open_page: Any, served: Any, tmp_path: Path) -> None:
    path = _page(tmp_path, "<p>well</p>")
    assert open_page(path).page.inner_text("p") == "well"
    assert axe_faults(open_page(f"{served(tmp_path)}/page.html", width=390, dark=True).page) == []


@exhaustive
@pytest.mark.parametrize(
    "body",
    some(
        [
            "<img alt='' src='https://example.org/x.png'>",
            "<script>fetch('https://example.org/x').catch(() => 0)</script>",
            "<link rel=stylesheet href='//example.org/x.css'>",
        ],
        3,
    ),
)
def test_a_request_for_another_host_is_refused_and_recorded(
    open_page: Any,
    served: Any,
    tmp_path: Path,
    body: str,
) -> None:
    _page(tmp_path, body)
    visit = open_page(f"{served(tmp_path)}/page.html")
    visit.page.wait_for_timeout(100)
    assert [line for line in visit.outside if "example.org" in line]
    visit.outside.clear()
    visit.errors.clear()


def test_errors_and_dialogs_are_recorded(open_page: Any, tmp_path: Path) -> None:
    visit = open_page(
        _page(tmp_path, "<script>console.error('one'); alert('two'); throw Error('three')</script>")
    )
    visit.page.wait_for_timeout(100)
    text = "\n".join(visit.errors)
    assert all(word in text for word in ("one", "two", "three"))
    visit.errors.clear()


def test_axe_finds_what_is_wrong(open_page: Any, tmp_path: Path) -> None:
    visit = open_page(_page(tmp_path, "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>"))
    assert any("image-alt" in line for line in axe_faults(visit.page))
