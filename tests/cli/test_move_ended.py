"""`move`, ended at any moment or called where it must not be: nothing is lost, doubled or hurt."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import upgrade
from sqlalchemy import create_engine, select, text

from app.extensions import db
from app.models import Event
from tests.cli.moves import copy, fill, move, moved_tables, opened, read_all, start_move
from tests.databases import PostgresDatabases
from tests.factories import Team, make_team, report
from tests.postgres import PostgresCluster
from tests.server import LiveServer, wait_for
