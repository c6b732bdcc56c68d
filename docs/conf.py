"""How Sphinx builds the site; docs/website/build.py lays its pages out and runs it."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

project = "Milepost"
project_copyright = "the contributors of Milepost; Apache 2.0"
version = release = version_of("milepost")
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "docs.website.links"]
myst_heading_anchors = 4
suppress_warnings: list[str] = []

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
add_module_names = False
python_display_short_literal_types = True
maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"Milepost {release}"
html_static_path = [str(ROOT / "diagrams"), str(ROOT / "docs" / "website" / "static")]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_baseurl = "https://milepost.readthedocs.io/en/latest/"
pygments_style = "default"
pygments_dark_style = "github-dark"
