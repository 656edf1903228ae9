#include "scalebridge/langevin.hpp"

#include "trajectory.hpp"

namespace scalebridge {
namespace {

constexpr double largest_strain = 0.2;   // of one rescaling; beyond, the cell blew up
constexpr double largest_factor = 8.0;   // of the volume in one burst; beyond, the cell collapsed or blew up
constexpr int exponential_terms = 12;    // 0.6^13 / 13! < 1e-12, of strains that rarely reach 0.01
constexpr int row_of[6] = {0, 1, 2, 1, 0, 0}, column_of[6] = {0, 1, 2, 2, 2, 1};

double volume(const Cell& a) {
    return std::fabs(a[0] * (a[4] * a[8] - a[5] * a[7]) - a[1] * (a[3] * a[8] - a[5] * a[6]) +
                     a[2] * (a[3] * a[7] - a[4] * a[6]));
}

// rows times a (3, 3) matrix
template <class Rows>
Rows times(const Rows& rows, const Cell& matrix) {
    Rows out = rows;
    for (std::size_t i = 0; i < rows.size(); i += 3)
        for (int d = 0; d < 3; ++d)
            out[i + d] = rows[i] * matrix[d] + rows[i + 1] * matrix[3 + d] + rows[i + 2] * matrix[6 + d];
    return out;
}

Cell exponential(const Cell& strain) {
    Cell out{1, 0, 0, 0, 1, 0, 0, 0, 1}, term = out;
    for (int n = 1; n <= exponential_terms; ++n) {
        term = times(term, strain);
        for (int k = 0; k < 9; ++k) out[k] += term[k] /= n;
    }
    return out;
}

// The strain of one rescaling: drift and diffusion of ln V, or of all six components with a third of its rate.
Cell draw_strain(const CellBath& bath, const double* noise, double thermal, double elapsed, std::size_t atoms,
                 const double* virial, double size) {
    const double rate = bath.isotropic ? bath.rate : bath.rate / 3.0;
    const double spread = std::sqrt(2.0 * thermal * rate / size * elapsed), kinetic = atoms * thermal;
    Cell strain{};
    if (bath.isotropic) {
        const double pressure = (kinetic + (virial[0] + virial[4] + virial[8]) / 3.0) / size;
        const double change = rate * (pressure - bath.pressure) * elapsed + spread * noise[0];
        strain[0] = strain[4] = strain[8] = change / 3.0;
        return strain;
    }
    for (int k = 0; k < 6; ++k) {
        const int i = row_of[k], j = column_of[k];
        const double sides = 0.5 * (virial[3 * i + j] + virial[3 * j + i]);
        const double excess = i == j ? (kinetic + sides) / size - bath.pressure : sides / size;
        const double width = i == j ? spread : spread / std::sqrt(2.0);
        strain[3 * i + j] = strain[3 * j + i] = rate * excess * elapsed + width * noise[k];
    }
    return strain;
}

// Strain cell and atoms; false if the cell blew up.
bool rescale(Trajectory& t, const LangevinPath& path, const double* noise, double first) {
    const Cell& cell = t.atoms().cell;
    const Cell strain = draw_strain(path.cell, noise, path.thermal_energy, path.cell.every * path.timestep,
                                    t.state().energies.size(), t.state().virial, volume(cell));
    for (double part : strain)
        if (!(std::fabs(part) < largest_strain)) return false;
    const Cell deformation = exponential(strain), next = times(cell, deformation);
    const double factor = volume(next) / first;
    if (!(factor < largest_factor && factor > 1.0 / largest_factor)) return false;
    t.settle(times(t.atoms().positions, deformation), next);
    return true;
}

void check(const LangevinPath& path, std::size_t atoms) {
    if (atoms == 0 || path.noise.size() % (3 * atoms) != 0)
        throw std::invalid_argument("noise must have shape (steps, N, 3) with N = " + std::to_string(atoms) +
                                    " above 0");
    const std::size_t steps = path.noise.size() / (3 * atoms), rescalings = path.cell.noise.size() / 6;
    if (path.cell.every < 1 || path.cell.noise.size() % 6 != 0 ||
        (rescalings > 0 && rescalings != steps / path.cell.every))
        throw std::invalid_argument("the cell's noise must have shape (" + std::to_string(steps) +
                                    " // every, 6) with every = " + std::to_string(path.cell.every) + " above 0");
}

}  // namespace

LangevinEnd follow_langevin(const Potential& potential, std::vector<int> types, std::vector<double> positions,
                            std::vector<double> velocities, const std::vector<double>& masses, const Cell& cell,
                            const LangevinPath& path) {
    const std::size_t freedom = 3 * types.size();
    check(path, types.size());
    Trajectory t(potential, std::move(types), std::move(positions), std::move(velocities), masses, cell,
                 {true, true, true});
    const double* noise = path.noise.data();
    const double* cell_noise = path.cell.noise.data();
    const double *end = noise + path.noise.size(), *cell_end = cell_noise + path.cell.noise.size();
    for (; noise != end && t.sound(); noise += freedom) {
        t.kick(0.5 * path.timestep);
        std::vector<double> next = t.atoms().positions;
        bool sound = t.shift(next, 0.5 * path.timestep);
        std::vector<double>& v = t.state().velocities;
        for (std::size_t i = 0; i < freedom; ++i)
            v[i] = path.decay * v[i] +
                   std::sqrt((1.0 - path.decay * path.decay) * path.thermal_energy / masses[i / 3]) * noise[i];
        sound = t.shift(next, 0.5 * path.timestep) && sound;
        t.settle(std::move(next), sound);
        if (!sound) break;
        t.kick(0.5 * path.timestep);
        ++t.state().steps_done;
        if (!t.sound() || cell_noise == cell_end || t.state().steps_done % path.cell.every != 0) continue;
        sound = rescale(t, path, cell_noise, volume(cell));
        cell_noise += 6;
        if (!sound) {
            t.settle(t.atoms().positions, false);
            break;
        }
    }
    const Cell last = t.atoms().cell;
    return {t.end(), last};
}

}  // namespace scalebridge
