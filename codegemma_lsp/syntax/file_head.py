"""Where the head of a file ends: the comments, the docstring and the directives that must stay above all else."""

from __future__ import annotations

import tree_sitter

from codegemma_lsp.syntax.regions import is_text_alone
from codegemma_lsp.syntax.tree import Syntax

_HEAD = frozenset({"package_clause", "package_declaration", "inner_attribute_item", "hash_bang_line", "php_tag"})
"""The types of nodes that stand above imports in every language that has them."""
_INNER = ("//!", "/*!")


def head_end(syntax: Syntax) -> int:
    """Returns the start of the line below the head of a file, where its first import would go. It is 0 if there is no
    head.

    Comments belong to the head unless they are directly above something else.
    """
    if syntax.tree is None:
        return 0
    end = 0
    for child in syntax.tree.root_node.named_children:
        following = child.next_named_sibling
        is_comment = syntax.language is not None and child.type in syntax.language.comments
        if is_comment and not _stands_alone(syntax, child, following):
            break
        if not (is_comment or child.type in _HEAD or is_text_alone(child)):
            break
        end = child.end_byte
    at = syntax.char(end)
    line_end = syntax.text.find("\n", at) if end else -1
    if end and syntax.text[:at].endswith("\n"):  # the grammars of some languages include the line's end in a comment
        return at
    return line_end + 1 if line_end >= 0 else at if end else 0


def _stands_alone(syntax: Syntax, comment: tree_sitter.Node, following: tree_sitter.Node | None) -> bool:
    text = (comment.text or b"").decode(errors="replace")
    if comment.start_point[0] < 2 and (text.startswith("#!") or "coding" in text):
        return True
    if text.startswith(_INNER) or following is None:
        return True
    last = comment.end_point[0] - (1 if comment.end_point[1] == 0 else 0)
    is_near = following.start_point[0] <= last + 1
    is_head = following.type in _HEAD or is_text_alone(following)
    is_comment = syntax.language is not None and following.type in syntax.language.comments
    return not is_near or is_head or (is_comment and _stands_alone(syntax, following, following.next_named_sibling))
