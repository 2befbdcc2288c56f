"""Pages for people, rendered here."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

_PAGES = Environment(loader=PackageLoader("api.pages"), autoescape=True, undefined=StrictUndefined)


def page(name: str, status: int = 200, **values: object) -> HTMLResponse:
    """The template with these values. Pages are somebody's own: nothing on the way keeps them."""
    text = _PAGES.get_template(name).render(values)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})
