"""All tools on offer."""

from tools import approvals, devices, printing, record
from tools.spec import Catalog


def build_catalog() -> Catalog:
    """Return every tool of the product; two of one name are an error."""
    return Catalog([*devices.TOOLS, *printing.TOOLS, *approvals.TOOLS, *record.TOOLS])
