"""Bundled hosts, electrode designs and measured materials, every number with its source."""

from scalebridge.materials.loading import host_names, load_design, load_host, load_material, material_names

__all__ = ["host_names", "load_design", "load_host", "load_material", "material_names"]
