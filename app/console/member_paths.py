"""In which member of JSON a place lies, broken JSON too, in linear time."""

from bisect import bisect_right

from app.json_tokens import Token, read_name, scan


class Paths:
    """Of each place in JSON, broken or not, a number for the names and indexes of the members that
    it lies in; the same path has the same number in all texts that share `known`.

    In a list, what counts is which value it is, so that a comma too few moves nothing.
    """

    def __init__(self, text: str, known: dict[tuple[int, str | int], int]) -> None:
        self._known = known
        self._starts: list[int] = []
        self._numbers: list[int] = []
        self._levels: list[_Level] = [_Level(0, is_list=False)]
        tokens = [token for token in scan(text) if token.kind != "space"]
        follows = [text[token.start] for token in tokens[1:]]
        for token, sign in zip(tokens, [*follows, ""], strict=True):
            self._read(text, token, is_name=token.kind == "key" or sign == ":")

    def find(self, at: int) -> int:
        """The number of the path of this place."""
        index = bisect_right(self._starts, at) - 1
        return self._numbers[index] if index >= 0 else 0

    def _read(self, text: str, token: Token, *, is_name: bool) -> None:
        sign = text[token.start] if token.kind == "punctuation" else ""
        if sign in ("}", "]") and len(self._levels) > 1:
            self._levels.pop()
        level = self._levels[-1]
        if level.is_list:
            level.step = int(level.step or 0) + (sign in ("", "{", "["))
        elif sign == ",":
            level.step = ""
        elif not sign and is_name:
            name = read_name(text, token) if token.kind == "key" else None
            level.step = text[token.start : token.end].strip("\"'`") if name is None else name
        number = self._known.setdefault((level.parent, level.step), len(self._known) + 1)
        self._starts.append(token.start)
        self._numbers.append(number)
        if sign in ("{", "["):
            self._levels.append(_Level(number, is_list=sign == "["))


class _Level:
    """An object or a list that is open: the path that leads to it, and the member within it."""

    __slots__ = ("is_list", "parent", "step")

    def __init__(self, parent: int, *, is_list: bool) -> None:
        self.parent, self.is_list = parent, is_list
        self.step: str | int = 0 if is_list else ""
