"""How a view reaches the collaborators."""

from typing import cast

from flask import Flask, current_app

from processor.bootstrap import Container

_NAME = "codat-processor"


def keep(app: Flask, container: Container) -> None:
    """Give ``app`` its collaborators."""
    app.extensions[_NAME] = container


def container() -> Container:
    """The collaborators of the application that handles the present request."""
    return cast(Container, current_app.extensions[_NAME])
