"""Choose a tier.  Pure: the same features and thresholds give the same choice.

Order: local, mcp, frontier.  A tier that is not configured is never chosen silently: the
request stays with the local tier, which says so, and the reason is recorded.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Final

from routing.decision import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """When the local tier is trusted to answer alone."""

    local: float = 0.8
    """At or above this confidence the local tier answers (origin: 0.8)."""
    version: str = "1"
    """Changes whenever a threshold does; recorded with every decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What the choice is made from: never the words themselves."""

    confidence: float
    """Calibrated confidence of the local tier, 0 to 1."""
    understood: bool
    """The grammar has a reading: a command, a question back, or a reason not to act."""
    rule: str
    forced: Tier | None = None
    configured: tuple[Tier, ...] = (Tier.LOCAL,)
    """Tiers that are set up."""

    @property
    def digest(self) -> str:
        """SHA-256 over the features, hex."""
        body = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(body.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The tier, and why it is not simply the local one."""

    tier: Tier
    reason: str
    unavailable: Tier | None = None
    """The tier that was wanted and is not configured."""


COST: Final[Mapping[Tier, Decimal]] = {Tier.LOCAL: Decimal(0)}
"""US dollars per call of the tiers that exist here; the local tier costs nothing."""

LOW_CONFIDENCE: Final = "low_confidence"
FORCED: Final = "forced_tier"
NOT_CONFIGURED: Final = "tier_not_configured"


def choose(features: Features, thresholds: Thresholds) -> Choice:
    """Return the tier that answers."""
    if features.forced is not None and features.forced is not Tier.LOCAL:
        if features.forced in features.configured:
            return Choice(tier=features.forced, reason=FORCED)
        return Choice(
            tier=Tier.LOCAL,
            reason=f"{FORCED}:{NOT_CONFIGURED}",
            unavailable=features.forced,
        )
    sure = features.understood and features.confidence >= thresholds.local
    if sure or features.forced is Tier.LOCAL:
        return Choice(tier=Tier.LOCAL, reason="")
    for tier in (Tier.MCP, Tier.FRONTIER):
        if tier in features.configured:
            return Choice(tier=tier, reason=LOW_CONFIDENCE)
    if features.understood:
        return Choice(tier=Tier.LOCAL, reason=LOW_CONFIDENCE)
    return Choice(
        tier=Tier.LOCAL, reason=f"{LOW_CONFIDENCE}:{NOT_CONFIGURED}", unavailable=Tier.MCP
    )
