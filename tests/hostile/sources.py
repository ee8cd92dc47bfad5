"""A page's source, read for what would come to life in a browser."""

from html.parser import HTMLParser

from tests.hostile.payloads import PAYLOADS

MARKUP = [each.replace("\0", "") for each in PAYLOADS if "<" in each.replace("&lt;", "")]
"""What must not stand in a page as it came."""
FORBIDDEN = frozenset({"iframe", "object", "embed", "base", "style", "marquee", "math", "video"})
ACTING = ("on", "hx-", "style", "srcdoc", "formaction", "src", "action", "http-equiv")


class Source(HTMLParser):
    """The text of a page, and the elements of it that no template of ours writes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.alive: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        source = next((value or "" for name, value in attrs if name == "src"), "")
        is_foreign = tag in FORBIDDEN or (tag == "script" and not source.startswith("/static/"))
        acting = [
            name
            for name, value in attrs
            if name.startswith("on") or (name.startswith(ACTING) and "pwned" in (value or ""))
        ]
        if is_foreign or acting:
            self.alive.append(str(self.get_starttag_text())[:300])

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())
