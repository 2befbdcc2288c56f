"""What every command that speaks to the API takes: the same options, read once, handed over as a Session."""

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from inspect import Parameter
from typing import Annotated, Any

import typer

from delivery.cli.client import Api, strange
from delivery.cli.errors import CommandError
from delivery.cli.output import Format, Screen
from delivery.cli.profile import find, missing

Command = Callable[..., None]

_Output = Annotated[Format, typer.Option("--output", "-o", help="How to print the result.")]
_Url = Annotated[
    str | None,
    typer.Option(envvar="DELIVERY_URL", help="Where the API is; else your profile says it.", show_default=False),
]
_Token = Annotated[
    str | None,
    typer.Option(envvar="DELIVERY_TOKEN", help="Who you are to it; else your profile says it.", show_default=False),
]
_COMMON = (
    Parameter("output", Parameter.KEYWORD_ONLY, annotation=_Output, default=Format.TABLE),
    Parameter("url", Parameter.KEYWORD_ONLY, annotation=_Url, default=None),
    Parameter("token", Parameter.KEYWORD_ONLY, annotation=_Token, default=None),
)


@dataclass(frozen=True, slots=True)
class Session:
    """One command's connection to the API and to the person."""

    api: Api
    screen: Screen

    def show(self, document: object, people: Callable[[], None]) -> None:
        """Prints the document whole for programs, or lets `people` write it for people."""
        if self.screen.for_people:
            people()
        else:
            self.screen.data(document)


def command(group: typer.Typer, name: str) -> Callable[[Command], Command]:
    """Registers `function(session, ...)` as a command that takes the common options too.

    A parameter whose type is a dataclass stands for options of its fields' names.
    """

    def register(function: Command) -> Command:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        shown = [*(one for parameter in own for one in _options(parameter)), *_COMMON]

        @functools.wraps(function)
        def run(*, output: Format, url: str | None, token: str | None, **given: Any) -> None:
            profile = find(url, token)
            api = Api(profile.url, profile.token)
            try:
                function(Session(api, Screen(output)), **_gathered(own, given))
            except (KeyError, TypeError) as error:  # of a document whose shape nobody here knows
                raise strange(api.url, f"if both are ours, this is a fault of the command: {error!r}") from error
            except CommandError as error:
                if profile.token is None and (gone := missing()):
                    error.hints = (*error.hints, gone)
                raise
            finally:
                api.close()

        run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
        group.command(name)(run)
        return function

    return register


def local_command(group: typer.Typer, name: str) -> Callable[[Command], Command]:
    """Registers `function(screen, ...)` as a command that asks no API. Dataclasses stand for options here too."""

    def register(function: Command) -> Command:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        shown = [*(one for parameter in own for one in _options(parameter)), _COMMON[0]]

        @functools.wraps(function)
        def run(*, output: Format, **given: Any) -> None:
            function(Screen(output), **_gathered(own, given))

        run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
        group.command(name)(run)
        return function

    return register


def _options(parameter: Parameter) -> list[Parameter]:
    kind = parameter.annotation
    if not is_dataclass(kind):
        return [parameter.replace(kind=Parameter.KEYWORD_ONLY)]
    hints = typing.get_type_hints(kind, include_extras=True)
    return [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            annotation=hints[field.name],
            default=Parameter.empty if field.default is MISSING else field.default,
        )
        for field in fields(kind)
    ]


def _gathered(own: list[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the function takes them."""
    arguments: dict[str, Any] = {}
    for parameter in own:
        kind = parameter.annotation
        if is_dataclass(kind) and isinstance(kind, type):
            arguments[parameter.name] = kind(**{field.name: given[field.name] for field in fields(kind)})
        else:
            arguments[parameter.name] = given[parameter.name]
    return arguments
