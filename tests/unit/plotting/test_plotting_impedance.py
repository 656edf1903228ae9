"""Nyquist's plot of a circuit whose every point is known."""

import numpy as np
import pytest

from scalebridge.contracts import Provenance, Solution, Validity
from scalebridge.electrode.results import field
from scalebridge.foundation import InputError
from scalebridge.plotting import plot_impedance

SERIES, TRANSFER = 2e-4, 6e-4


def circuit(frequency: np.ndarray, capacitance: float = 1e2) -> Solution:
    """A resistance before a parallel pair, before a large capacitor: Ω m²."""
    omega = 2j * np.pi * frequency
    values = SERIES + TRANSFER / (1 + omega * 0.3 * TRANSFER) + 1 / (omega * capacitance * 1e4)
    return Solution(
        provenance=Provenance(code_version="test", recipe_hash="test"),
        validity=Validity(temperature=(298.0, 298.0)),
        fields={
            "frequency": field("s-1", ("frequency",), frequency),
            "impedance_real": field("V.m2.A-1", ("frequency",), values.real, 12),
            "impedance_imaginary": field("V.m2.A-1", ("frequency",), values.imag, 12),
        },
        status="a circuit",
        termination="linear response",
    )


def test_an_arc_is_a_half_circle_on_the_page() -> None:
    figure = plot_impedance(circuit(np.geomspace(1e5, 1e-5, 101)))
    nyquist, modulus, _ = figure.axes
    assert nyquist.get_aspect() == 1.0
    x, y = nyquist.lines[0].get_data()
    arc = np.asarray(x) < 1e4 * (SERIES + 0.99 * TRANSFER)
    centre, radius = 1e4 * (SERIES + 0.5 * TRANSFER), 1e4 * 0.5 * TRANSFER
    assert np.hypot(np.asarray(x)[arc] - centre, np.asarray(y)[arc]) == pytest.approx(radius, rel=0.01)
    # the capacitive branch goes on above the panel, and is whole in the other
    assert nyquist.get_ylim()[1] < np.max(y)
    shown = np.asarray(modulus.lines[0].get_ydata())
    assert shown.max() == pytest.approx(np.hypot(x, y).max())
    assert all(word.get_text().split()[1].endswith("Hz") for word in nyquist.texts)
    assert len(nyquist.texts) >= 3


def test_other_solutions_are_refused() -> None:
    solution = circuit(np.array([1.0, 2.0]))
    fields = {"frequency": solution.fields["frequency"]}
    with pytest.raises(InputError, match="holds no impedance"):
        plot_impedance(Solution.model_validate(dict(solution) | {"fields": fields}))
