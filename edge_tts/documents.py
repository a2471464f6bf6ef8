"""YAML as people write it: every key once, nothing that grows when it is read."""

from __future__ import annotations

from typing import Any

import yaml

MAX_CHARACTERS = 1 << 20
MAX_DEPTH = 32
"""Of lists and mappings in each other. Reading takes time by the square of it."""


def parse_yaml(text: str) -> Any:
    """The document in *text*; raises ValueError saying what is wrong, with the line."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"{len(text)} characters; at most {MAX_CHARACTERS} are read")
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", at line {mark.line + 1}" if mark else ""
        raise ValueError(f"{error.problem or error.context}{line}") from error
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    # What PyYAML lets through of values that are none: 2026-13-45, !!bool perhaps, !!int "", a number of 5000 digits.
    except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"a value that is none of its type: {error}") from error


def line_of_key(text: str, number: int) -> int:
    """Line, from 1, of the key of that number, from 0, of the mapping that *text* is; it was parsed before."""
    root = yaml.compose(text, _Loader)
    return root.value[number][0].start_mark.line + 1 if root else 1


class _Loader(yaml.SafeLoader):
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            # Ten aliases of ten aliases of … are a few lines, and gigabytes once somebody prints them.
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not taken, write the value out", mark)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, f"nested in more than {MAX_DEPTH} levels", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        first: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = first.setdefault((key.tag, key.value), key.start_mark.line + 1)
                if line != key.start_mark.line + 1:
                    # YAML's own rule; PyYAML takes the last one, and the reader of the file looks at the first.
                    problem = f"{key.value}: given twice, first in line {line}"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        return super().construct_mapping(node, deep)
