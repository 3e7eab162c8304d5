"""One database for all tests of rules; each test's rows are undone at its end."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from fakes.rows import Rows
from psycopg import sql

from infra.postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def rule_database(cluster: EmbeddedPostgres) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database rules template {}").format(sql.Identifier("kitty_template"))
        )
    with psycopg.connect(cluster.dsn_of("rules"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def rows(rule_database: psycopg.Connection[Any]) -> Iterator[Rows]:
    with rule_database.transaction(force_rollback=True):
        yield Rows(rule_database)
