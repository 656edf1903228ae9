"""Trial insertions, deletions and relocations of ions, bare or by non-equilibrium switching.

Acceptance. The grand-canonical weight of N indistinguishable ions with Λ = 1 Å is e^{βμN} e^{−βU}/N!
dr^N. An insertion into state x of N ions draws a component c of the site density with probability p_c(x)
and a position r from g_c = e^{−βu_c}/z_c, momenta from Maxwell, and switches (see ``switching``) from H_0
= K + U_N + u_c to H_1 = K + U_{N+1}, reaching (x', r') with work W. The reverse deletion picks this ion
(1/(N+1)), picks the same tether with probability P(c|r'), and switches back along the same path. The
ratio of the two probability flows,

    e^{βμ}/(N+1) · e^{−βW} · z_c P(c|r') / p_c(x) = exp(−β(w_ins − μ)),
    w_ins = W + kT ln[(N+1) Å³ p_c(x) / (z_c P(c|r'))],

gives the exact rule min(1, exp(−β(w_ins − μ))), and for the deletion of one of N ions, with x'' the state
without it, min(1, exp(−β(w_del + μ))), w_del = W − kT ln[N Å³ p_c(x'')/(z_c P(c|r))] = −w_ins of the
reversed path. Without switching and without excluded sites, W + kT ln[p_c/(z_c P)] = ΔU + kT ln q(r): the
bare rule with the mixture density q. Since forward and reverse works differ only in sign, they obey
Crooks' relation, with ⟨exp(−βw_ins)⟩_N = Π(N+1)/Π(N) at μ = 0, and feed Bennett's estimator whether
accepted or not.

A relocation is both at once at fixed N: one ion fades into a ghost while a ghost at another site fades in.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalebridge.sampling.configuration import Change, Configuration
from scalebridge.sampling.moves import Ensemble
from scalebridge.sampling.switching import Ghost, Switch, SwitchResult, SwitchSettings, switch

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """An attempted change of ion content.

    ``work`` is w_ins, w_del or the relocation's cost [eV], +inf if refused; ``configuration`` is the
    state it leads to, None if refused.
    """

    work: float
    configuration: Configuration | None


REFUSED = Trial(np.inf, None)


def insertion_trial(
    configuration: Configuration, ensemble: Ensemble, settings: SwitchSettings, rng: np.random.Generator
) -> Trial:
    """Attempt to insert one ion; works as defined in the module's docstring, at μ = 0."""
    density, cell = ensemble.density, configuration.cell
    centres = configuration.centres
    weights = density.weights(configuration.ion_positions(), centres, cell)
    tether, position = density.draw(weights, centres, cell, rng)
    n = len(configuration.positions)
    result = _switch(
        configuration,
        ensemble,
        np.vstack([configuration.positions, position]),
        fading_in=Ghost(n, tether),
        settings=settings,
        rng=rng,
    )
    if not np.isfinite(result.work):
        return REFUSED
    final_centres = configuration.template.centres(result.positions, cell)
    weight = float(weights[tether.component])
    ratio = density.log_ratio(tether, weight, result.positions[n], final_centres, cell)
    work = result.work + ensemble.thermal_energy * (np.log(configuration.ions + 1) + ratio)
    return _trial(configuration, work, result.positions, result)


def deletion_trial(
    configuration: Configuration, ensemble: Ensemble, settings: SwitchSettings, rng: np.random.Generator
) -> Trial:
    """Attempt to delete a random ion, the exact reverse of ``insertion_trial``; refused without ions."""
    ions = configuration.ions
    if ions == 0:
        return REFUSED
    density, cell = ensemble.density, configuration.cell
    first = configuration.template.n_framework
    chosen = first + int(rng.integers(ions))
    tether = density.assign(configuration.positions[chosen], configuration.centres, cell, rng)
    result = _switch(
        configuration,
        ensemble,
        configuration.positions,
        fading_out=Ghost(chosen, tether),
        settings=settings,
        rng=rng,
    )
    if not np.isfinite(result.work):
        return REFUSED
    remaining = np.delete(result.positions, chosen, axis=0)
    final_centres = configuration.template.centres(remaining, cell)
    weight = float(density.weights(remaining[first:], final_centres, cell)[tether.component])
    position, centres = configuration.positions[chosen], configuration.centres
    ratio = density.log_ratio(tether, weight, position, centres, cell)
    work = result.work - ensemble.thermal_energy * (np.log(ions) + ratio)
    return _trial(configuration, work, remaining, result)


def relocation_trial(
    configuration: Configuration, ensemble: Ensemble, settings: SwitchSettings, rng: np.random.Generator
) -> Trial:
    """Attempt to move a random ion to a drawn position; ``work`` is the Metropolis cost at fixed N.

    With c the target's tether and d the tether given to the ion's old place,
    cost = W + kT ln[p_c(x)/(z_c P(c|r_new'))] − kT ln[p_d(x')/(z_d P(d|r_old))].
    """
    ions = configuration.ions
    if ions == 0:
        return REFUSED
    density, cell, template = ensemble.density, configuration.cell, configuration.template
    centres, first = configuration.centres, template.n_framework
    chosen = first + int(rng.integers(ions))
    old_position = configuration.positions[chosen]
    old = density.assign(old_position, centres, cell, rng)
    weights = density.weights(configuration.ion_positions(), centres, cell)
    new, position = density.draw(weights, centres, cell, rng)
    n = len(configuration.positions)
    result = _switch(
        configuration,
        ensemble,
        np.vstack([configuration.positions, position]),
        fading_in=Ghost(n, new),
        fading_out=Ghost(chosen, old),
        settings=settings,
        rng=rng,
    )
    if not np.isfinite(result.work):
        return REFUSED
    final = np.delete(result.positions, chosen, axis=0)
    final_centres = template.centres(final, cell)
    final_weight = float(density.weights(final[first:], final_centres, cell)[old.component])
    weight = float(weights[new.component])
    forward = density.log_ratio(new, weight, result.positions[n], final_centres, cell)
    reverse = density.log_ratio(old, final_weight, old_position, centres, cell)
    cost = result.work + ensemble.thermal_energy * (forward - reverse) if np.isfinite(reverse) else np.inf
    return _trial(configuration, cost, final, result)


def _switch(
    configuration: Configuration,
    ensemble: Ensemble,
    positions: FloatArray,
    *,
    fading_in: Ghost | None = None,
    fading_out: Ghost | None = None,
    settings: SwitchSettings,
    rng: np.random.Generator,
) -> SwitchResult:
    template = configuration.template
    types = template.types(len(positions) - template.n_framework)
    end_energy = change = None
    if settings.steps == 0:
        removed = fading_out.atom if fading_out else None
        change = Change(removed)
        if fading_in is not None:
            change = Change(removed, template.ion_type, positions[fading_in.atom])
        end_energy = configuration.energy_after(ensemble.model, change)
    problem = Switch(
        template=template,
        types=types,
        positions=positions,
        cell=configuration.cell,
        fading_in=fading_in,
        fading_out=fading_out,
        start_energy=configuration.energy,
        end_energy=end_energy,
    )
    result = switch(
        problem,
        ensemble.model,
        settings=settings,
        stiffness=ensemble.stiffness,
        masses=ensemble.masses[types],
        temperature=ensemble.temperature,
        rng=rng,
    )
    return replace(result, change=change)


def _trial(configuration: Configuration, work: float, positions: FloatArray, result: SwitchResult) -> Trial:
    if not np.isfinite(work):
        return REFUSED
    if result.change is not None:
        return Trial(float(work), configuration.after_change(result.change, positions, result.energy))
    return Trial(float(work), configuration.with_atoms(positions, result.energy))
