"""Units, axes and constants."""

import pytest

from scalebridge.foundation import InputError, constants
from scalebridge.foundation.units import Axes, Unit


@pytest.mark.parametrize("text", ["1", "m", "m2.s-1", "A.m-2", "J.m-1", "kg.mol-1", "S.m-1", "Pa"])
def test_si_products_are_accepted(text: str) -> None:
    assert Unit(text).text == text


@pytest.mark.parametrize("text", ["", "eV", "m^2", "m2/s", "cm2.s-1", "m2 s-1", "m.", "m10", "m0", "s--1"])
def test_anything_else_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(InputError, match=r"write for example 'm2\.s-1'"):
        Unit(text)


def test_axes_keep_their_order() -> None:
    assert Axes("member", "x").names == ("member", "x")
    assert Axes() == Axes()
    assert Axes("a", "b") != Axes("b", "a")


def test_derived_factors_agree_with_the_definitions() -> None:
    # exact values of the SI (2019)
    assert constants.ELEMENTARY_CHARGE == 1.602176634e-19
    assert constants.BOLTZMANN == 1.380649e-23
    assert constants.AVOGADRO == 6.02214076e23
    assert pytest.approx(96485.33212, rel=1e-9) == constants.FARADAY
    assert pytest.approx(8.617333262e-5, rel=1e-9) == constants.BOLTZMANN_EV
    assert pytest.approx(160.2176634e9, rel=1e-12) == constants.EV_PER_ANGSTROM3
    assert pytest.approx(16.02176634, rel=1e-12) == constants.EV_PER_ANGSTROM2
    # 1 h at 1 mA per gram: 3.6 C per 1e-3 kg
    assert pytest.approx(1e-3 * 3600 / 1e-3, rel=1e-12) == constants.MAH_PER_G
    # kinetic energy of 1 u at 1 Å/fs in eV is half of 103.64269… (mass in u, velocity in Å/time unit)
    joule = 0.5 * constants.ATOMIC_MASS * (1e-10 / 1e-15) ** 2
    assert pytest.approx(joule / constants.EV, rel=1e-12) == 0.5 / constants.FEMTOSECOND**2
