import pytest
from ase.calculators.emt import EMT

from scalebridge.foundation import InputError, MissingDependencyError
from scalebridge.oracle import CalculatorSpec


def test_builds_class_with_arguments():
    spec = CalculatorSpec("ase.calculators.emt:EMT", {"asap_cutoff": True})
    calculator = spec.build()
    assert isinstance(calculator, EMT)
    assert calculator.parameters["asap_cutoff"] is True


def test_hash_depends_on_target_and_arguments_not_on_their_order():
    one = CalculatorSpec("a:B", {"x": 1, "y": [1.5, "t"]})
    same = CalculatorSpec("a:B", {"y": [1.5, "t"], "x": 1})
    assert one.content_hash == same.content_hash
    assert one == same
    assert hash(one) == hash(same)
    others = [CalculatorSpec("a:C", {"x": 1, "y": [1.5, "t"]}), CalculatorSpec("a:B", {"x": 2})]
    assert len({one.content_hash, *(other.content_hash for other in others)}) == 3


@pytest.mark.parametrize("target", ["EMT", "ase.calculators.emt", ":EMT", "module:", "module:two words"])
def test_malformed_target_is_refused(target):
    with pytest.raises(InputError, match="not of the form module:Class"):
        CalculatorSpec(target)


def test_missing_package_names_calculator_module_and_command():
    with pytest.raises(MissingDependencyError) as caught:
        CalculatorSpec("no_such_code.ase:Calculator").build()
    assert str(caught.value) == (
        "calculator 'no_such_code.ase:Calculator' needs the module 'no_such_code', which is not installed; "
        "run: python -m pip install 'no_such_code'"
    )


def test_missing_module_inside_a_factory_is_named():
    with pytest.raises(MissingDependencyError, match=r"needs the module 'no_such_reference_code'"):
        CalculatorSpec("oracle_calculators:needs_absent_module").build()


def test_missing_name_and_wrong_arguments_are_input_errors():
    with pytest.raises(InputError, match="has no class or function 'EMTT'"):
        CalculatorSpec("ase.calculators.emt:EMTT").build()
    with pytest.raises(InputError, match="does not take the arguments"):
        CalculatorSpec("oracle_calculators:Counting", {"nonsense": 1}).build()


def test_arguments_that_json_cannot_hold_are_refused():
    with pytest.raises(InputError, match="cannot be written as JSON"):
        CalculatorSpec("ase.calculators.emt:EMT", {"x": object()})


def test_citations_are_those_of_the_class_and_of_added_calculators():
    emt = CalculatorSpec("ase.calculators.emt:EMT")
    assert emt.citations == ()
    chgnet = CalculatorSpec("scalebridge.oracle.chgnet:CHGNet03")
    assert chgnet.citations == ("deng2023",)
    twice = CalculatorSpec("ase.calculators.emt:EMT", plus=(chgnet, chgnet))
    assert twice.citations == ("deng2023",)
    assert CalculatorSpec("no_such_code.ase:Calculator").citations == ()
