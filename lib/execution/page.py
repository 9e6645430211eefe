"""An executed notebook as one HTML page to read: nothing is loaded from elsewhere and no script can run.

The template is `lib/execution/templates/page`. Text that comes from data or parameters may hold markup; it is shown as
text, and the page's content policy forbids scripts and foreign addresses besides.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any


def to_page(notebook: Any, title: str) -> str:
    """The executed notebook as one HTML page."""
    body, _ = _exporter().from_notebook_node(notebook, resources={"metadata": {"name": title}})
    return body


@lru_cache(maxsize=1)
def _exporter() -> Any:
    """The exporter, made once: its templates take half a second to compile."""
    from nbconvert import HTMLExporter

    return HTMLExporter(
        template_name="page",
        extra_template_basedirs=[str(Path(__file__).resolve().parent / "templates")],
        filters={"markdown2html": _markdown_to_html},
        mathjax_url="",
        require_js_url="",
    )


def _markdown_to_html(text: str) -> str:
    """Markdown as HTML; nbconvert's own filter lets raw HTML and `javascript:` addresses through."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=True, allow_harmful_protocols=False)
    return MarkdownWithMath(renderer=renderer).render(text)
