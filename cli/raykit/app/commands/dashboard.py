"""`raykit dashboard`: Ray's own dashboard in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from raykit.app import output
from raykit.app.options import Format, Output, on_target

if TYPE_CHECKING:
    from raykit.flows.targets.where import Where


def register(app: typer.Typer) -> None:
    app.command("dashboard")(dashboard)


@on_target
def dashboard(
    where: Where,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    output_format: Output = Format.text,
) -> None:
    """Open Ray's dashboard of a local head or a cluster, until Ctrl-C.

    The printed address is on this machine and works once, for one browser. raykit adds the head's
    token, which the browser never gets.
    """
    from raykit.flows import dashboard as flow
    from raykit.progress import Progress

    def announce(address: str) -> None:
        data = {"url": address}
        output.show("dashboard", data, output_format is Format.json, lambda shown: shown["url"])

    flow.show(where, Progress(output.Screen()), announce, browser=browser)
