"""Pages for people, rendered here."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from api.pages.words import FILTERS

_PAGES = Environment(
    loader=PackageLoader("api.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.filters.update(FILTERS)


def page(name: str, status: int = 200, **values: object) -> HTMLResponse:
    """The template with these values. Pages are somebody's own: nothing on the way keeps them."""
    text = _PAGES.get_template(name).render(values)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})
