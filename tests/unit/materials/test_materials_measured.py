import re

import pytest

import scalebridge.materials
from scalebridge.contracts import MeasuredMaterial, Provenance
from scalebridge.foundation import FormatError, InputError, citations
from scalebridge.materials import load_material, material_names

PROVENANCE = Provenance(code_version="test", recipe_hash="0" * 64)


def bundled_text(name: str) -> str:
    folder = scalebridge.materials.loading.files("scalebridge.materials").joinpath(name)
    return folder.joinpath("material.toml").read_text(encoding="utf-8")


def test_a_carbon_for_either_ion_is_bundled():
    ions = {load_material(name, PROVENANCE).ion for name in material_names()}
    assert ions == {"Li", "Na"}


@pytest.mark.parametrize("name", material_names())
def test_bundled_materials_have_sources_and_pass_through_json(name):
    material = load_material(name, PROVENANCE)
    sources = [
        material.saturation_concentration.source,
        material.equilibrium_voltage.source,
        material.chemical_diffusivity.source,
        material.rate_law.source,
    ]
    assert all(sources)
    assert citations.bibtex(material.citations)
    again = MeasuredMaterial.from_json(material.model_dump_json())
    assert again.content_hash == material.content_hash


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("1.319, 1.2198", "1.2198, 1.319", "1.319 V at θ = 0.0016433 must be below"),
        ("0.0014368, 0.0016433", "0.0016433, 0.0014368", "must rise from point to point"),
        ("2.57e-16", "-2.57e-16", "-2.57e-16 m²/s must be positive"),
        ("value = 14540.0", "value = 0.0", "0 mol/m³ must be positive"),
        ("saturation_concentration [mol.m-3]", "saturation_concentration", "saturation_concentration"),
    ],
)
def test_a_wrong_number_is_named(tmp_path, before, after, message):
    path = tmp_path / "material.toml"
    path.write_text(bundled_text("hard_carbon").replace(before, after, 1), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(message)):
        load_material(path, PROVENANCE)


def test_a_missing_or_damaged_file_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_material(tmp_path / "none.toml", PROVENANCE)
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(FormatError, match="not valid TOML"):
        load_material(tmp_path / "bad.toml", PROVENANCE)
