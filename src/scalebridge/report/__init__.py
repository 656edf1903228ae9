"""One self-contained page from a run folder."""

from scalebridge.report.page import write_report
from scalebridge.report.tables import Table, headline_table

__all__ = ["Table", "headline_table", "write_report"]
