"""SVG as text: elements with escaped content. Colours and strokes are the stylesheet's, by class. Pure."""

from dataclasses import dataclass

from markupsafe import Markup, escape

CHARACTER = 6.6
"""About how wide a character of a drawing's text is; drawings are shown at their own size, or a little smaller."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of a drawing, in its own units: about a pixel each, because there is a drawing for each width of screen."""

    width: int
    height: int


def tag(name: str, *inside: str, **attributes: object) -> Markup:
    """An element. `class_` is `class`, other underscores become dashes; None leaves an attribute out."""
    said = "".join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _value(value))
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(name, Markup(said), Markup("").join(map(escape, inside)))


def text(x: float, y: float, content: str, anchor: str = "start", class_: str | None = None) -> Markup:
    return tag("text", content, x=x, y=y, text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def drawing(size: Size, title: str, *inside: str, class_: str = "") -> Markup:
    """A whole drawing, which is one image for whoever cannot see it: `title` is all that is told of it."""
    return tag(
        "svg",
        *inside,
        viewBox=f"0 0 {size.width} {size.height}",
        width=size.width,
        height=size.height,
        role="img",
        aria_label=title,
        class_=class_ or None,
    )


def _value(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
