"""The pages, for browsers that are signed in."""

from api.pages import static_files
from api.pages.routes import actions, release, releases, services, stop

PAGES = (releases.router, release.router, actions.router, services.router, stop.router, static_files.router)
