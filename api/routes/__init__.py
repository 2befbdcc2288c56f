"""All routes, in the order in which the documentation shows them."""

from api.routes import (
    actions,
    hands,
    health,
    history,
    inbox,
    login,
    login_oidc,
    outbox,
    people,
    plan,
    releases,
    services,
    slack,
    stop,
    stream,
    tokens,
    webhooks,
)

ROUTERS = (
    webhooks.router,
    slack.router,
    stream.router,  # its path without an id comes before that of a release
    releases.router,
    actions.router,
    services.router,
    hands.router,
    plan.router,
    stop.router,
    inbox.router,
    outbox.router,
    tokens.router,
    history.router,
    people.router,
    health.router,
    login.router,
    login_oidc.router,
)
