"""Where gunicorn and the flask command find the application."""

import click

from app import create_app
from app.config import ConfigurationError

try:
    app = create_app()
except (ConfigurationError, OSError) as error:
    raise click.ClickException(str(error)) from error
