"""Any ASE calculator, named as ``module:Class`` (or ``module:factory``) with arguments; sums of them."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ase.calculators.mixing import SumCalculator

from scalebridge.foundation import InputError, MissingDependencyError, hash_json

PACKAGES: Final[Mapping[str, str]] = {
    "chgnet": "scalebridge[chgnet]",
    "torch": "scalebridge[chgnet]",
    "gpaw": "scalebridge[gpaw]",
    "mace": "mace-torch",
    "psycopg2": "psycopg2-binary",
}
"""Name to give to pip where it differs from the module's top-level name."""


@dataclass(frozen=True)
class CalculatorSpec:
    """A reference calculator and its settings: all that decides a label besides the structure.

    Attributes
    ----------
    target
        ``module:Class`` or ``module:factory``, for example ``ase.calculators.emt:EMT``.
    arguments
        Keyword arguments; values that JSON can hold.
    locations
        Keyword arguments that say where something lies, never what it is: no part of the hash.
    plus
        Calculators whose energies, forces and stresses are added, for example a correction of this one
        towards a better level of theory.
    """

    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    locations: Mapping[str, str] = field(default_factory=dict)
    plus: tuple["CalculatorSpec", ...] = ()

    def __post_init__(self) -> None:
        module, colon, name = self.target.partition(":")
        if not (colon and module and name.isidentifier()):
            raise InputError(
                f"calculator '{self.target}' is not of the form module:Class; "
                "write for example 'scalebridge.oracle.chgnet:CHGNet03'"
            )
        try:
            hash_json(dict(self.arguments))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"arguments of calculator '{self.target}' cannot be written as JSON ({error}); "
                "use numbers, texts, lists and tables only, or name a factory that builds the rest"
            ) from None

    @property
    def content_hash(self) -> str:
        """SHA-256 of target and arguments, those of added calculators included."""
        return hash_json(self.to_dict())

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def to_dict(self) -> dict[str, Any]:
        """Return target and arguments, and those of added calculators, as a JSON-ready dictionary."""
        content: dict[str, Any] = {"target": self.target, "arguments": dict(self.arguments)}
        return content | ({"plus": [term.to_dict() for term in self.plus]} if self.plus else {})

    def __str__(self) -> str:
        """Return target and arguments for people to read."""
        terms = [f"{self.target} {dict(self.arguments) or ''}".strip(), *map(str, self.plus)]
        return " + ".join(terms)

    @property
    def citations(self) -> tuple[str, ...]:
        """Keys of the works to cite: the attribute ``citations`` of the class, and of added calculators."""
        try:
            own = tuple(getattr(self._factory(), "citations", ()))
        except ImportError:  # its labels may come from a store, without the calculator being installed
            own = ()
        return tuple(dict.fromkeys([*own, *(key for term in self.plus for key in term.citations)]))

    def build(self) -> Any:
        """Import the target and return a new calculator, a sum where calculators are added.

        Raises
        ------
        MissingDependencyError
            If a module that the calculator needs is not installed.
        InputError
            If the module has no such name, or does not take these arguments.
        """
        own = self._build_own()
        if not self.plus:
            return own
        return SumCalculator([own, *(term.build() for term in self.plus)])

    def _build_own(self) -> Any:
        try:
            factory = self._factory()
            return factory(**self.arguments, **self.locations)
        except ModuleNotFoundError as error:
            raise self._missing(error) from error
        except TypeError as error:
            raise InputError(
                f"calculator '{self.target}' does not take the arguments {dict(self.arguments)}: {error}; "
                "correct them in the recipe"
            ) from error

    def _factory(self) -> Any:
        module_name, _, name = self.target.partition(":")
        factory = getattr(importlib.import_module(module_name), name, None)
        if not callable(factory):
            raise InputError(
                f"calculator '{self.target}': module '{module_name}' has no class or function '{name}'; "
                "correct the name in the recipe"
            )
        return factory

    def _missing(self, error: ModuleNotFoundError) -> MissingDependencyError:
        module = error.name or self.target.partition(":")[0]
        top = module.partition(".")[0]
        package = PACKAGES.get(top, top)
        return MissingDependencyError(
            f"calculator '{self.target}' needs the module '{module}', which is not installed; "
            f"run: python -m pip install '{package}'"
        )
