"""The way into one source: opens its store once, and turns its errors into problems."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from jobs.gsod.archive import DataProblem
from jobs.gsod.sources.address import Where
from jobs.gsod.sources.problems import refused
from jobs.gsod.sources.stores import open_store

Answer = TypeVar("Answer")


class Access:
    """One source."""

    def __init__(self, where: Where) -> None:
        self.where = where

    def ask(self, name: str, request: Callable[[Any], Answer]) -> Answer:
        """What a request to the store comes to. name: what is asked for, in messages.

        Raises DataProblem, of the kind Missing if the store has no such object.
        """
        store = self._store
        try:
            return request(store)
        except DataProblem:
            raise
        except Exception as error:
            raise refused(self.where, name, error) from error

    @cached_property
    def _store(self) -> Any:
        return open_store(self.where)
