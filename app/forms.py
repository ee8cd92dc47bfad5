"""How a form's body is read: as Werkzeug does, in a third of the time where it is all escapes."""

from io import BytesIO
from typing import IO, Any

from flask import Request
from werkzeug.datastructures import MultiDict
from werkzeug.formparser import FormDataParser

from app.percent_encoding import read_pairs


class FormParser(FormDataParser):
    def _parse_urlencoded(
        self, stream: IO[bytes], *_: Any
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, Any]]:
        """Escapes that are no UTF-8 stay escapes. Raises UnicodeDecodeError, by which Werkzeug
        reads no form at all."""
        items = read_pairs(stream.read().decode(), "werkzeug.url_quote")
        return BytesIO(), self.cls(items), self.cls()


class FormRequest(Request):
    """A request whose forms are read so."""

    form_data_parser_class = FormParser
