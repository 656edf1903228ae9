"""Figures from contracts, one function each, as matplotlib ``Figure``: the only room with matplotlib."""

from scalebridge.plotting.active import plot_active_fraction
from scalebridge.plotting.animation import check_animation_path, write_animation
from scalebridge.plotting.electrode import (
    boundary_text,
    left_out,
    plot_boundary_position,
    plot_discharge,
    plot_phase_map,
    plot_rate_capability,
    plot_sizes,
    rate_name,
)
from scalebridge.plotting.impedance import plot_impedance
from scalebridge.plotting.interfaces import normal_name, plot_slab_energy
from scalebridge.plotting.learning import plot_coverage, plot_learning_curve
from scalebridge.plotting.potential import plot_evaluation, plot_fit, plot_parity
from scalebridge.plotting.protocol import plot_protocol
from scalebridge.plotting.style import to_png, to_svg
from scalebridge.plotting.thermodynamics import (
    plot_free_energy,
    plot_lattice_parameters,
    plot_voltage,
    plot_volume,
)
from scalebridge.plotting.transport import plot_arrhenius

__all__ = [
    "boundary_text",
    "check_animation_path",
    "left_out",
    "normal_name",
    "plot_active_fraction",
    "plot_arrhenius",
    "plot_boundary_position",
    "plot_coverage",
    "plot_discharge",
    "plot_evaluation",
    "plot_fit",
    "plot_free_energy",
    "plot_impedance",
    "plot_lattice_parameters",
    "plot_learning_curve",
    "plot_parity",
    "plot_phase_map",
    "plot_protocol",
    "plot_rate_capability",
    "plot_sizes",
    "plot_slab_energy",
    "plot_voltage",
    "plot_volume",
    "rate_name",
    "to_png",
    "to_svg",
    "write_animation",
]
