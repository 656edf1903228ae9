"""One self-contained page from a run folder."""

from scalebridge.report.page import write_report
from scalebridge.report.run_folder import read_run_folder
from scalebridge.report.tables import Table, headline_table
from scalebridge.report.warnings import Warned, collect_warnings

__all__ = ["Table", "Warned", "collect_warnings", "headline_table", "read_run_folder", "write_report"]
