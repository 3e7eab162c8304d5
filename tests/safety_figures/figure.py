"""What a figure is: what was tried, what came of it, and what a naive variant did."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table."""

    what: str
    tried: int
    goal: str
    measured: str
    met: bool
    naive: str
    """What a naive variant let through in the same test."""
    caught: bool
    """Whether the test noticed the naive variant."""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.met and self.caught

    def taking(self, seconds: float) -> "Figure":
        return replace(self, seconds=seconds)


def table(figures: list[Figure]) -> str:
    """Write the figures as one table."""
    head = ("", "figure", "tried", "goal", "measured", "naive control", "s")
    rows = [
        (
            "ok" if each.passed else "MISSED",
            each.what,
            f"{each.tried:,}".replace(",", " "),
            each.goal,
            each.measured,
            each.naive if each.caught else f"NOT CAUGHT: {each.naive}",
            f"{each.seconds:.0f}",
        )
        for each in figures
    ]
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]
    rule = "-+-".join("-" * width for width in widths)
    return "\n".join([lines[0], rule, *lines[1:]])
