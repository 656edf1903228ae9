#include "scalebridge/local.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

#include "batches.hpp"

namespace scalebridge {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double on_top = 1e-12;  // of squared distances [Å²]

double square(const double* a, const double* b) {
    const double x = a[0] - b[0], y = a[1] - b[1], z = a[2] - b[2];
    return x * x + y * y + z * z;
}

}  // namespace

struct LocalEnergies::Scratch {
    explicit Scratch(const Configuration& c) : sites(c), place(c.atoms, -1) {}

    SiteTable sites;
    std::vector<int> touched, place;         // atoms to evaluate; each atom's place among them or -1
    std::vector<int> found;                  // sites within the cutoff of the added atom
    std::vector<Environment> environments;   // of the touched atoms, then of the added one
    std::vector<double> energies;

    const double* site(int k) const { return sites.position.data() + 4 * static_cast<std::size_t>(k); }
};

LocalEnergies::LocalEnergies(const Potential& potential, Configuration configuration)
    : potential_(potential), configuration_(std::move(configuration)), energies_(configuration_.atoms),
      translations_(translations(configuration_.cell, configuration_.periodic, potential.data().r_max)),
      scratch_(std::make_unique<Scratch>(configuration_)) {
    potential_.energies(configuration_, energies_.data());
    energy_ = std::accumulate(energies_.begin(), energies_.end(), 0.0);
}

LocalEnergies::LocalEnergies(LocalEnergies&&) noexcept = default;
LocalEnergies::~LocalEnergies() = default;

void LocalEnergies::touch(int atom) {
    if (scratch_->place[atom] >= 0) return;
    scratch_->place[atom] = static_cast<int>(scratch_->touched.size());
    scratch_->touched.push_back(atom);
}

// Find the sites near the added atom and all atoms whose neighbours change; false if a hard core is touched.
bool LocalEnergies::find(int removed, int added, const std::array<double, 3>& position) {
    Scratch& s = *scratch_;
    const NeighbourList& list = configuration_.list;
    const PotentialData& data = potential_.data();
    const double limit = data.r_max * data.r_max;
    for (int atom : s.touched) s.place[atom] = -1;
    s.touched.clear();
    s.found.clear();
    if (removed >= 0)
        for (int e = list.start[removed]; e < list.start[removed + 1]; ++e) {
            const int k = list.entries[e];
            if (list.owner[k] != removed && square(s.site(k), s.site(removed)) < limit) touch(list.owner[k]);
        }
    if (added < 0) return true;
    const double* core = data.hard_core.data() + static_cast<std::size_t>(added) * data.species;
    for (std::size_t n = 0; n < translations_.size(); n += 3)
        if (square(translations_.data() + n, std::array<double, 3>{}.data()) < core[added] * core[added]) return false;
    for (int k = 0; k < s.sites.empty; ++k) {
        const double distance = square(s.site(k), position.data());
        if (distance >= limit || list.owner[k] == removed) continue;
        const double closest = core[s.sites.type[k]];
        if (distance < on_top || distance < closest * closest) return false;
        s.found.push_back(k);
        touch(list.owner[k]);
    }
    return true;
}

void LocalEnergies::write_environments(int removed, int added, const std::array<double, 3>& position) {
    Scratch& s = *scratch_;
    const NeighbourList& list = configuration_.list;
    const double limit = potential_.data().r_max * potential_.data().r_max;
    s.environments.resize(std::max(s.environments.size(), s.touched.size() + 1));
    for (std::size_t n = 0; n < s.touched.size(); ++n) {
        const int i = s.touched[n];
        const double* x = s.site(i);
        s.environments[n].clear(configuration_.types[i]);
        for (int e = list.start[i]; e < list.start[i + 1]; ++e) {
            const int k = list.entries[e];
            const double* y = s.site(k);
            if (list.owner[k] != removed && square(x, y) < limit)
                s.environments[n].add(y[0] - x[0], y[1] - x[1], y[2] - x[2], s.sites.type[k]);
        }
    }
    if (added < 0) return;
    Environment& own = s.environments[s.touched.size()];
    own.clear(added);
    for (std::size_t n = 0; n < translations_.size(); n += 3)
        own.add(translations_[n], translations_[n + 1], translations_[n + 2], added);
    for (int k : s.found) {
        const double* y = s.site(k);
        const double x[3] = {y[0] - position[0], y[1] - position[1], y[2] - position[2]};
        own.add(x[0], x[1], x[2], s.sites.type[k]);
        s.environments[s.place[list.owner[k]]].add(-x[0], -x[1], -x[2], added);
    }
}

double LocalEnergies::after(int removed, int added, const std::array<double, 3>& position) {
    const int atoms = configuration_.atoms, species = potential_.data().species;
    if (removed < -1 || removed >= atoms)
        throw std::invalid_argument("atom " + std::to_string(removed) + " is not one of " + std::to_string(atoms));
    if (added < -1 || added >= species)
        throw std::invalid_argument("type " + std::to_string(added) + " is outside 0.." + std::to_string(species - 1));
    const std::array<double, 3> home = wrapped(position, configuration_.cell, configuration_.periodic);
    if (added >= 0 && !std::isfinite(home[0] + home[1] + home[2]))
        throw std::invalid_argument("the position of the added atom is not finite");
    if (!std::isfinite(energy_) || !find(removed, added, home)) return infinity;
    Scratch& s = *scratch_;
    std::sort(s.touched.begin(), s.touched.end(), [this](int i, int j) {
        const int a = configuration_.types[i], b = configuration_.types[j];
        return a != b ? a < b : i < j;
    });
    for (std::size_t n = 0; n < s.touched.size(); ++n) s.place[s.touched[n]] = static_cast<int>(n);
    write_environments(removed, added, home);
    const std::size_t count = s.touched.size() + (added >= 0 ? 1 : 0);
    s.energies.resize(count);
    potential_.energies_of(s.environments, count, s.energies.data());
    double change = removed >= 0 ? -energies_[removed] : 0.0;
    for (std::size_t n = 0; n < s.touched.size(); ++n) change += s.energies[n] - energies_[s.touched[n]];
    if (added >= 0) change += s.energies.back();
    return energy_ + change;
}

}  // namespace scalebridge
