"""Bundled hosts: crystal structures, sites, literature values and electrode designs, each with its source."""

from scalebridge.materials.loading import host_names, load_design, load_host

__all__ = ["host_names", "load_design", "load_host"]
