"""What Sphinx is told about Milepost: how docstrings read, and where names in code lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs.website.docstrings import as_rst, readable
from docs.website.reference import said_of, targets
from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

__all__ = ["setup"]


def _docstring(
    _app: Sphinx, what: str, name: str, _thing: object, _options: object, lines: list[str]
) -> None:
    """Turn a docstring into reStructuredText; that of a constant's type is not its own."""
    lines[:] = as_rst(said_of(name).splitlines() if what == "data" else lines, targets().get)


def _signature(
    _app: Sphinx,
    _what: str,
    _name: str,
    _thing: object,
    _options: object,
    signature: str | None,
    result: str | None,
) -> tuple[str | None, str | None]:
    """A signature whose defaults are names, or dots where they have none."""
    return signature and readable(signature), result


def _missing(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, shown: nodes.Element
) -> nodes.Node | None:
    """Where a type of a signature is described, whatever module it was written in."""
    if node.get("refdomain") != "py":
        return None
    target = str(node["reftarget"])
    if target.startswith("milepost."):
        target = target.rpartition(".")[2]
    whole = targets().get(target)
    if whole is None or whole == node["reftarget"]:
        return None
    domain = env.domains["py"]
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", whole, node, shown)


class LinkNames(SphinxPostTransform):
    """Code that is a public name leads to its description, but for headings and links."""

    default_priority = 5

    def run(self, **_kwargs: object) -> None:
        """Replace such literals by references that are resolved with the others."""
        if self.env.docname.startswith("reference/api/"):
            return
        known = targets()
        for literal in [*self.document.findall(nodes.literal)]:
            whole = known.get(literal.astext())
            if whole is None or _is_inside(literal, (nodes.title, nodes.reference)):
                continue
            named = addnodes.pending_xref(
                "",
                refdomain="py",
                reftype="obj",
                reftarget=whole,
                refexplicit=True,
                refdoc=self.env.docname,
                refwarn=False,
            )
            literal.replace_self(named)
            named += literal


def _is_inside(node: nodes.Node, kinds: tuple[type[nodes.Node], ...]) -> bool:
    above = node.parent
    while above is not None:
        if isinstance(above, (*kinds, addnodes.pending_xref)):
            return True
        above = above.parent
    return False


def setup(app: Sphinx) -> dict[str, object]:
    """Join Sphinx."""
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-process-signature", _signature)
    app.connect("missing-reference", _missing)
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
