"""What a test says: its source, with all of its file that it leads to."""

import ast

from tests.documents.blocks import ROOT


def read_source(file: str, name: str) -> str:
    """Of a function, with the functions, fixtures and values of the same file that it names, and
    those that they name. Raises KeyError where there is none of that name."""
    text = (ROOT / file).read_text("utf-8")
    parts = {name: node for node in ast.parse(text).body for name in _names_given(node)}
    wanted, found = [name], {name: parts[name]}
    while wanted:
        for word in _words(found[wanted.pop()]) & (parts.keys() - found.keys()):
            found[word] = parts[word]
            wanted.append(word)
    segments = (ast.get_source_segment(text, node) or "" for node in found.values())
    return "\n".join(segments)


def _names_given(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    inside = [each for target in targets for each in ast.walk(target)]
    return [each.id for each in inside if isinstance(each, ast.Name)]


def _words(node: ast.AST) -> set[str]:
    """Arguments are fixtures."""
    inside = list(ast.walk(node))
    names = {each.id for each in inside if isinstance(each, ast.Name)}
    return names | {each.arg for each in inside if isinstance(each, ast.arg)}
