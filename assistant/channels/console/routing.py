"""The page of the routing log: a sortable table and two plots."""

from typing import Any, Final

from nicegui import ui

from assistant.channels.console import decisions
from assistant.channels.console.visit import Visit
from infra.store.routing_log import MAX_PAGE, Filter
from routing.decision import Tier
from tools.run import CallOutcome

ANY: Final = "all"
_ROWS: Final = 25
"""Rows of the table on one screen."""


class Routing:
    """The newest decisions; older ones a page at a time."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._tier = ANY
        self._outcome = ANY
        self._cursor: str | None = None
        self._next: str | None = None

    async def build(self) -> None:
        """Show filters, plots and table."""
        with ui.element("div").classes("k-routing"):
            with ui.element("div").classes("k-filters"):
                self._select("Tier", [ANY, *Tier], "_tier")
                self._select("Outcome", [ANY, *CallOutcome], "_outcome")
                self._newest = ui.button("Newest", on_click=self._to_newest, color=None).props(
                    "flat no-caps"
                )
                self._older = ui.button("Older", on_click=self._to_older, color=None).props(
                    "flat no-caps"
                )
            with ui.element("div").classes("k-plots"):
                self._latency = self._plot(decisions.latency_plot([]), "Latency over time")
                self._outcomes = self._plot(decisions.outcome_plot([]), "Outcomes by tier")
            self._table = self._make_table()
        await self._show()

    def _select(self, label: str, options: list[str], field: str) -> None:
        async def chosen(event: Any) -> None:
            setattr(self, field, event.value)
            self._cursor = None
            await self._show()

        values = [str(each) for each in options]
        ui.select(values, label=label, value=ANY, on_change=chosen).props("outlined dense").classes(
            "k-select"
        )

    def _plot(self, options: dict[str, Any], label: str) -> ui.echart:
        return ui.echart(options).classes("k-plot").props(f'role=img aria-label="{label}"')

    def _make_table(self) -> ui.table:
        columns = [
            {**each, "sortable": True, **decisions.SHOWN.get(each["name"], {})}
            for each in decisions.COLUMNS
        ]
        pagination = {"rowsPerPage": _ROWS, "sortBy": "at", "descending": True}
        table = ui.table(columns=columns, rows=[], row_key="id", pagination=pagination)
        return table.props(':grid="Quasar.Screen.lt.md" flat binary-state-sort').classes("k-table")

    async def _to_newest(self) -> None:
        self._cursor = None
        await self._show()

    async def _to_older(self) -> None:
        self._cursor = self._next
        await self._show()

    async def _show(self) -> None:
        wanted = Filter(
            tier=None if self._tier == ANY else self._tier,
            outcome=None if self._outcome == ANY else self._outcome,
        )
        log = self._visit.services.routing
        stored, self._next = await log.page(wanted, limit=MAX_PAGE, cursor=self._cursor)
        rows = [decisions.table_row(each) for each in stored]
        self._table.rows = rows
        self._redraw(self._latency, decisions.latency_plot(rows))
        self._redraw(self._outcomes, decisions.outcome_plot(rows))
        self._older.set_enabled(self._next is not None)
        self._newest.set_enabled(self._cursor is not None)

    def _redraw(self, chart: ui.echart, options: dict[str, Any]) -> None:
        chart.options.clear()
        chart.options.update(options)
        chart.update()
