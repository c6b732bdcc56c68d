"""Three sets of fonts that a machine may have: wide, middling and narrow letters, and no other."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["SETS", "FontSet"]


class FontSet(NamedTuple):
    """Fonts that are in a package for tests, and the one that stands for any sans-serif."""

    package: str
    folder: str
    family: str

    @property
    def options(self) -> tuple[str, ...]:
        """The options by which the renderer knows these fonts and no others."""
        spec = find_spec(self.package)
        assert spec is not None
        assert spec.submodule_search_locations is not None
        fonts = Path(next(iter(spec.submodule_search_locations))) / self.folder
        assert any(fonts.glob("*.ttf"))
        return (
            *("--skip-system-fonts", "--use-fonts-dir", str(fonts)),
            *("--sans-serif-family", self.family, "--font-family", self.family),
        )


SETS: Final = {
    "wide": FontSet("reportlab", "fonts", "Bitstream Vera Sans"),
    "middle": FontSet("font_lato", "files", "Lato"),
    "narrow": FontSet("font_source_sans_pro", "files", "Source Sans Pro"),
}
