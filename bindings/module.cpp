#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "scalebridge/dynamics.hpp"
#include "scalebridge/langevin.hpp"
#include "scalebridge/local.hpp"
#include "scalebridge/potential.hpp"
#include "scalebridge/switching.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace scalebridge;

namespace {

template <class T>
using In = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
using Out = nb::ndarray<nb::numpy, double>;

template <class T>
std::vector<T> vector_of(const In<T>& a) {
    return std::vector<T>(a.data(), a.data() + a.size());
}

Out array(std::vector<double>&& values, std::initializer_list<std::size_t> shape) {
    auto* owned = new std::vector<double>(std::move(values));
    nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<double>*>(p); });
    return Out(owned->data(), shape, owner);
}

Cell cell_of(const In<double>& a) {
    if (a.size() != 9) throw std::invalid_argument("cell must have shape (3, 3)");
    Cell c;
    std::copy(a.data(), a.data() + 9, c.begin());
    return c;
}

Periodicity periodicity_of(const std::array<bool, 3>& p) { return p; }

double volume(const Configuration& c) {
    const Cell& a = c.cell;
    if (!(c.periodic[0] && c.periodic[1] && c.periodic[2])) return std::nan("");
    return std::fabs(a[0] * (a[4] * a[8] - a[5] * a[7]) - a[1] * (a[3] * a[8] - a[5] * a[6]) +
                     a[2] * (a[3] * a[7] - a[4] * a[6]));
}

nb::tuple forces(const Potential& p, const Configuration& c) {
    const std::size_t n = c.atoms;
    std::vector<double> energies(n), f(3 * n), virial(9);
    {
        nb::gil_scoped_release release;
        p.forces(c, energies.data(), f.data(), virial.data());
    }
    return nb::make_tuple(array(std::move(energies), {n}), array(std::move(f), {n, 3}),
                          array(std::move(virial), {3, 3}));
}

Out energies(const Potential& p, const Configuration& c) {
    std::vector<double> e(c.atoms);
    {
        nb::gil_scoped_release release;
        p.energies(c, e.data());
    }
    return array(std::move(e), {static_cast<std::size_t>(c.atoms)});
}

nb::tuple rows(const Potential& p, const Configuration& c) {
    const PotentialData& d = p.data();
    const std::size_t n = c.atoms, A = d.scalar.size(), S = d.species, M = d.radial_functions, K = d.radial_size;
    std::vector<double> values(n * A), radial(n * S * M * K);
    {
        nb::gil_scoped_release release;
        p.rows(c, values.data(), radial.data());
    }
    return nb::make_tuple(array(std::move(values), {n, A}), array(std::move(radial), {n, S, M, K}));
}

GradeMatrices grade_matrices(const Potential& p, const std::vector<In<double>>& inverses) {
    std::vector<std::vector<double>> plain;
    for (const In<double>& inverse : inverses) plain.push_back(vector_of(inverse));
    return GradeMatrices(p.data(), p.width(), plain);
}

Out grades(const Potential& p, const Configuration& c, const GradeMatrices& matrices) {
    std::vector<double> out(c.atoms);
    {
        nb::gil_scoped_release release;
        p.grades(c, matrices, out.data());
    }
    return array(std::move(out), {static_cast<std::size_t>(c.atoms)});
}

nb::tuple graded_forces(const Potential& p, const Configuration& c, const GradeMatrices& matrices) {
    const std::size_t n = c.atoms;
    std::vector<double> energies(n), f(3 * n), virial(9), grades(n);
    {
        nb::gil_scoped_release release;
        p.graded_forces(c, matrices, energies.data(), f.data(), virial.data(), grades.data());
    }
    return nb::make_tuple(array(std::move(energies), {n}), array(std::move(f), {n, 3}),
                          array(std::move(virial), {3, 3}), array(std::move(grades), {n}));
}

nb::tuple design(const Potential& p, const Configuration& c) {
    const std::size_t n = c.atoms, A = p.data().scalar.size();
    std::vector<double> values(A), gradients(3 * n * A), virials(9 * A);
    {
        nb::gil_scoped_release release;
        p.design(c, values.data(), gradients.data(), virials.data());
    }
    return nb::make_tuple(array(std::move(values), {A}), array(std::move(gradients), {n, 3, A}),
                          array(std::move(virials), {3, 3, A}));
}

nb::tuple record(const Potential& p, const Configuration& c) {
    const std::size_t n = c.atoms;
    std::vector<double> energies(n), f(3 * n), virial(9);
    Recording out;
    {
        nb::gil_scoped_release release;
        out = p.record(c, energies.data(), f.data(), virial.data());
    }
    return nb::make_tuple(std::move(out), array(std::move(energies), {n}), array(std::move(f), {n, 3}),
                          array(std::move(virial), {3, 3}));
}

nb::tuple loss_gradient(const Potential& p, const Recording& recording, double weight, const In<double>& velocities,
                        const In<double>& strain_rate) {
    const PotentialData& d = p.data();
    const std::size_t A = d.scalar.size(), S = d.species, M = d.radial_functions, K = d.radial_size;
    if (velocities.size() != 3 * static_cast<std::size_t>(recording.atoms()) || strain_rate.size() != 9)
        throw std::invalid_argument("velocities must have shape (N, 3) and strain_rate shape (3, 3)");
    std::vector<double> linear(A), radial(S * S * M * K);
    {
        nb::gil_scoped_release release;
        p.loss_gradient(recording, weight, velocities.data(), strain_rate.data(), linear.data(), radial.data());
    }
    return nb::make_tuple(array(std::move(linear), {A}), array(std::move(radial), {S, S, M, K}));
}

nb::tuple verlet(const Potential& p, const In<int>& types, const In<double>& positions, const In<double>& velocities,
                 const In<double>& masses, const In<double>& cell, const std::array<bool, 3>& pbc, double timestep,
                 int steps) {
    const std::size_t n = types.size();
    std::vector<int> t = vector_of(types);
    std::vector<double> x = vector_of(positions), v = vector_of(velocities), m = vector_of(masses);
    const Cell box = cell_of(cell);
    DynamicsState s;
    {
        nb::gil_scoped_release release;
        s = velocity_verlet(p, std::move(t), std::move(x), std::move(v), m, box, periodicity_of(pbc), timestep, steps);
    }
    return nb::make_tuple(array(std::move(s.positions), {n, 3}), array(std::move(s.velocities), {n, 3}),
                          array(std::move(s.energies), {n}), array(std::move(s.forces), {n, 3}),
                          array(std::vector<double>(s.virial, s.virial + 9), {3, 3}), s.steps_done);
}

nb::tuple langevin(const Potential& p, const In<int>& types, const In<double>& positions, const In<double>& velocities,
                   const In<double>& masses, const In<double>& cell, const std::array<double, 3>& scales,
                   const In<double>& noise, bool isotropic, int every, const std::array<double, 2>& bath,
                   const In<double>& cell_noise) {
    const std::size_t n = types.size();
    const LangevinPath path{scales[0], scales[1], scales[2], vector_of(noise),
                            {isotropic, every, bath[0], bath[1], vector_of(cell_noise)}};
    std::vector<int> t = vector_of(types);
    std::vector<double> x = vector_of(positions), v = vector_of(velocities), m = vector_of(masses);
    const Cell box = cell_of(cell);
    LangevinEnd end;
    {
        nb::gil_scoped_release release;
        end = follow_langevin(p, std::move(t), std::move(x), std::move(v), m, box, path);
    }
    return nb::make_tuple(array(std::move(end.state.positions), {n, 3}), array(std::move(end.state.velocities), {n, 3}),
                          array(std::move(end.state.energies), {n}),
                          array(std::vector<double>(end.cell.begin(), end.cell.end()), {3, 3}),
                          end.state.steps_done);
}

nb::tuple switch_atoms(const Potential& p, const In<int>& types, const In<double>& positions,
                       const In<double>& velocities, const In<double>& masses, const In<double>& cell,
                       const In<int>& roles, const In<int>& ghosts, const In<double>& hooks,
                       const std::array<double, 2>& scales, int framework, const In<double>& couplings) {
    const std::size_t n = types.size();
    if (hooks.size() != 3 * ghosts.size()) throw std::invalid_argument("hooks must have shape (ghosts, 3)");
    SwitchPath path{vector_of(roles), {}, scales[0], framework, scales[1], vector_of(couplings)};
    for (std::size_t g = 0; g < ghosts.size(); ++g) {
        const double* hook = hooks.data() + 3 * g;
        path.ghosts.push_back({ghosts.data()[g], {hook[0], hook[1], hook[2]}});
    }
    std::vector<int> t = vector_of(types);
    std::vector<double> x = vector_of(positions), v = vector_of(velocities), m = vector_of(masses);
    const Cell box = cell_of(cell);
    SwitchEnd end;
    {
        nb::gil_scoped_release release;
        end = follow_switch(p, std::move(t), std::move(x), std::move(v), m, box, path);
    }
    const std::size_t visited = end.slopes.size();
    return nb::make_tuple(end.work, end.energy, array(std::move(end.positions), {n, 3}),
                          array(std::move(end.velocities), {n, 3}), array(std::move(end.slopes), {visited}));
}

Configuration configure(const Potential& p, const In<int>& types, const In<double>& positions, const In<double>& cell,
                        const std::array<bool, 3>& pbc, double skin) {
    std::vector<int> t = vector_of(types);
    std::vector<double> x = vector_of(positions);
    const Cell box = cell_of(cell);
    nb::gil_scoped_release release;
    return p.configure(std::move(t), std::move(x), box, periodicity_of(pbc), skin);
}

LocalEnergies local_energies(const Potential& p, const Configuration& c) {
    nb::gil_scoped_release release;
    return LocalEnergies(p, c);
}

double energy_after(LocalEnergies& local, int removed, int added, const std::array<double, 3>& position) {
    nb::gil_scoped_release release;
    return local.after({removed, added, position});
}

void accept_change(LocalEnergies& local, int removed, int added, const std::array<double, 3>& position, bool in_place) {
    nb::gil_scoped_release release;
    local.accept({removed, added, position}, in_place);
}

void move_atoms(const Potential& p, Configuration& c, const In<double>& positions) {
    std::vector<double> x = vector_of(positions);
    nb::gil_scoped_release release;
    p.move(c, std::move(x));
}

Out shortest_distances(const In<int>& types, const In<double>& positions, const In<double>& cell,
                       const std::array<bool, 3>& pbc, double cutoff, int species) {
    const std::size_t n = types.size(), S = species;
    if (positions.size() != 3 * n) throw std::invalid_argument("positions must have shape (N, 3)");
    for (std::size_t i = 0; i < n; ++i)
        if (types.data()[i] < 0 || types.data()[i] >= species) throw std::invalid_argument("types out of range");
    std::vector<double> out(S * S, HUGE_VAL);
    const NeighbourList list = build_neighbours(static_cast<int>(n), types.data(), positions.data(), cell_of(cell),
                                                periodicity_of(pbc), cutoff, species);
    for (std::size_t i = 0; i < n; ++i)
        for (int e = list.start[i]; e < list.start[i + 1]; ++e) {
            const std::size_t site = list.entries[e], j = list.owner[site];
            double square = 0.0;
            for (int k = 0; k < 3; ++k) {
                const double d = positions.data()[3 * j + k] + list.shift[3 * site + k] - positions.data()[3 * i + k] -
                                 list.shift[3 * i + k];
                square += d * d;
            }
            double& best = out[types.data()[i] * S + types.data()[j]];
            best = std::min(best, std::sqrt(square));
        }
    return array(std::move(out), {S, S});
}

}  // namespace

NB_MODULE(_core, module) {
    module.attr("repulsion_whole_share") = repulsion_whole_share;
    module.doc() = "The compiled core of scalebridge: moment tensor potentials and their dynamics.";

    module.def("shortest_distances", &shortest_distances, "types"_a, "positions"_a, "cell"_a, "pbc"_a, "cutoff"_a,
               "species"_a);

    nb::class_<Configuration>(module, "Configuration")
        .def_prop_ro("atoms", [](const Configuration& c) { return c.atoms; })
        .def_prop_ro("volume", &volume)
        .def_prop_ro("pairs", [](const Configuration& c) { return c.list.entries.size(); });

    nb::class_<Recording>(module, "Recording");

    nb::class_<GradeMatrices>(module, "GradeMatrices");

    nb::class_<LocalEnergies>(module, "LocalEnergies")
        .def_prop_ro("energy", &LocalEnergies::energy)
        .def("after", &energy_after, "removed"_a, "added"_a, "position"_a)
        .def("accept", &accept_change, "removed"_a, "added"_a, "position"_a, "in_place"_a);

    nb::class_<Potential>(module, "Potential")
        .def(
            "__init__",
            [](Potential* self, const std::array<int, 3>& sizes, const std::array<double, 3>& support,
               const In<double>& radial, const In<int>& basic, const In<int>& products, int moments,
               const In<int>& scalar, const In<double>& xi, const In<double>& offsets, const In<double>& hard_core,
               const In<double>& repulsion, const In<double>& charges, const std::string& kernel, int threads) {
                PotentialData d{sizes[0], sizes[1], sizes[2], support[0], support[1], support[2],
                                vector_of(radial), vector_of(basic), vector_of(products), moments,
                                vector_of(scalar), vector_of(xi), vector_of(offsets), vector_of(hard_core),
                                vector_of(repulsion), vector_of(charges)};
                new (self) Potential(std::move(d), kernel.c_str(), threads);
            },
            "sizes"_a, "support"_a, "radial"_a, "basic"_a, "products"_a, "moments"_a, "scalar"_a, "xi"_a,
            "offsets"_a, "hard_core"_a, "repulsion"_a, "charges"_a, "kernel"_a, "threads"_a)
        .def_prop_ro("kernel", [](const Potential& p) { return std::string(p.kernel_name()); })
        .def_prop_ro("threads", &Potential::threads)
        .def("configure", &configure, "types"_a, "positions"_a, "cell"_a, "pbc"_a, "skin"_a = 0.0)
        .def("move", &move_atoms, "configuration"_a, "positions"_a)
        .def("energies", &energies, "configuration"_a)
        .def("forces", &forces, "configuration"_a)
        .def("rows", &rows, "configuration"_a)
        .def("local_energies", &local_energies, "configuration"_a, nb::keep_alive<0, 1>())
        .def("grade_matrices", &grade_matrices, "inverses"_a)
        .def("grades", &grades, "configuration"_a, "matrices"_a)
        .def("graded_forces", &graded_forces, "configuration"_a, "matrices"_a)
        .def("design", &design, "configuration"_a)
        .def("record", &record, "configuration"_a)
        .def("loss_gradient", &loss_gradient, "recording"_a, "weight"_a, "velocities"_a, "strain_rate"_a)
        .def("velocity_verlet", &verlet, "types"_a, "positions"_a, "velocities"_a, "masses"_a, "cell"_a, "pbc"_a,
             "timestep"_a, "steps"_a)
        .def("langevin", &langevin, "types"_a, "positions"_a, "velocities"_a, "masses"_a, "cell"_a, "scales"_a,
             "noise"_a, "isotropic"_a, "every"_a, "bath"_a, "cell_noise"_a)
        .def("switch", &switch_atoms, "types"_a, "positions"_a, "velocities"_a, "masses"_a, "cell"_a, "roles"_a,
             "ghosts"_a, "hooks"_a, "scales"_a, "framework"_a, "couplings"_a);
}
