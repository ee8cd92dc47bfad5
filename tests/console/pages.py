"""How the console's tests read pages and fill in forms: as a browser without JavaScript would."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient

from tests.factories import PASSWORD

VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "use", "rect", "path", "col"})


@dataclass
class Form:
    """A form with the values that a browser would send."""

    action: str
    method: str = "get"
    fields: dict[str, Any] = field(default_factory=dict)


class Page(HTMLParser):
    """What a page says: its text, its forms, its links, and every tag with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.forms: list[Form] = []
        self._words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        name = attributes.get("name")
        if tag == "form":
            method = (attributes.get("method") or "get").lower()
            self.forms.append(Form(attributes.get("action") or "", method))
        elif tag == "input" and name == "asked" and self.forms:
            self.forms[-1].fields.setdefault(name, []).append(attributes.get("value") or "")
        elif tag == "input" and name and self.forms:
            is_choice = attributes.get("type") in ("checkbox", "radio")
            if not is_choice:
                self.forms[-1].fields[name] = attributes.get("value") or ""
            elif "checked" in attributes:
                self.forms[-1].fields.setdefault(name, []).append(attributes.get("value"))

    def handle_data(self, data: str) -> None:
        self._words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._words).split())

    @property
    def links(self) -> list[str]:
        return [values["href"] or "" for tag, values in self.tags if values.get("href")]

    def has_id(self, identifier: str) -> bool:
        return any(values.get("id") == identifier for _, values in self.tags)

    @property
    def questions(self) -> list[list[str]]:
        """What its forms ask before they are sent: title, text, label and variant."""
        return [form.fields["asked"] for form in self.forms if "asked" in form.fields]

    def form(self, action: str) -> Form:
        return next(form for form in self.forms if form.action == action)


def open_page(client: FlaskClient, path: str, status: int = 200) -> Page:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return Page(answer.text)


def send_form(
    client: FlaskClient,
    path: str,
    action: str | None = None,
    environ_overrides: dict[str, Any] | None = None,
    **values: Any,
) -> Any:
    """Open the page at `path`, fill in the form with this action, and send it."""
    form = open_page(client, path).form(action or path)
    return submit(client, form, environ_overrides, **values)


def submit(
    client: FlaskClient, form: Form, environ_overrides: dict[str, Any] | None = None, **values: Any
) -> Any:
    """Send the form, and say yes where it asks first."""
    data = {**form.fields, **values}
    answer = client.post(form.action, data=data, environ_overrides=environ_overrides)
    if "asked" not in data or answer.status_code != 200:
        return answer
    page, title = Page(answer.text), data["asked"][0]
    for name, value in data.items():
        title = title.replace(f"{{{name}}}", str(value).strip())
    assert page.has_id("confirmation") and title in page.text
    again = page.form(form.action)
    return client.post(again.action, data=again.fields, environ_overrides=environ_overrides)


def sign_in(client: FlaskClient, email: str, **values: Any) -> Any:
    return send_form(client, "/sign-in", email=email, password=PASSWORD, **values)
