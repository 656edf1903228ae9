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
constexpr int newcomer = -1;      // slot of an atom on trial
constexpr int nobody = -2;        // slot of no atom

double square(const double* a, const double* b) {
    const double x = a[0] - b[0], y = a[1] - b[1], z = a[2] - b[2];
    return x * x + y * y + z * z;
}

}  // namespace

// Atoms live in slots, which stay theirs; `order` tells the slot of each index. The neighbours of an atom are
// written out when they are first asked for, until then from the list: none of them has changed before.
struct LocalEnergies::State {
    State(const Potential& potential, Configuration&& start)
        : c(std::move(start)), order(c.atoms), type(c.types), place(c.atoms, -1), around(c.atoms), energies(c.atoms),
          shifts(translations(c.cell, c.periodic, potential.data().r_max)), site_owner(c.list.owner) {
        const SiteTable table(c);
        site_position.assign(table.position.begin(), table.position.end() - 4);
        site_type.assign(table.type.begin(), table.type.end() - 1);
        std::iota(order.begin(), order.end(), 0);
        potential.energies(c, energies.data());
    }

    Configuration c;                     // as it was at the beginning
    std::vector<int> order, type, place; // slot of each index; of each slot: its place among the touched, or -1
    std::vector<Environment> around;     // of each slot; of no type: not written out yet
    std::vector<double> energies;        // of each slot
    std::vector<int> unused;             // slots
    std::vector<double> shifts;          // lattice translations within the cutoff
    std::vector<double> site_position;   // [site][4], infinite where unused
    std::vector<int> site_type, site_owner, unused_sites;

    // of the change last looked at
    Change change{-1, -1, {}};
    bool finite = false;
    std::array<double, 3> home{};        // the position wrapped into the cell
    std::vector<int> touched, found;     // slots to evaluate; sites within the cutoff of the added atom
    std::vector<Environment> environments;  // of the touched atoms, then of the added one
    std::vector<double> trial_energies;  // of the same
    std::vector<std::vector<std::array<double, 3>>> seen;  // the added atom and its images from the touched ones

    const double* site(int k) const { return site_position.data() + 4 * static_cast<std::size_t>(k); }
    const Environment& surroundings(int slot, double cutoff);
    void remove_sites(int slot);
    void add_sites(int slot, double cutoff);
    int take_slot();
};

const Environment& LocalEnergies::State::surroundings(int slot, double cutoff) {
    Environment& out = around[slot];
    if (out.type >= 0) return out;
    out.clear(type[slot]);
    const double* x = site(slot);
    for (int e = c.list.start[slot]; e < c.list.start[slot + 1]; ++e) {
        const int k = c.list.entries[e];
        const double* y = site(k);
        if (square(x, y) >= cutoff * cutoff) continue;
        out.add({y[0] - x[0], y[1] - x[1], y[2] - x[2]}, site_type[k], site_owner[k]);
    }
    return out;
}

void LocalEnergies::State::remove_sites(int slot) {
    for (std::size_t k = 0; k < site_owner.size(); ++k) {
        if (site_owner[k] != slot) continue;
        std::fill_n(site_position.begin() + 4 * k, 4, infinity);
        site_owner[k] = nobody;
        unused_sites.push_back(static_cast<int>(k));
    }
}

// Sites of a slot's atom at `home`. Those of atoms whose neighbours are still read from the list are in use.
void LocalEnergies::State::add_sites(int slot, double cutoff) {
    const std::vector<double> images = with_images(home, c.cell, c.periodic, cutoff);
    for (std::size_t n = 0; n < images.size(); n += 3) {
        if (unused_sites.empty()) {
            unused_sites.push_back(static_cast<int>(site_owner.size()));
            site_position.resize(site_position.size() + 4);
            site_type.push_back(0);
            site_owner.push_back(0);
        }
        const int k = unused_sites.back();
        unused_sites.pop_back();
        std::copy_n(images.begin() + n, 3, site_position.begin() + 4 * static_cast<std::size_t>(k));
        site_type[k] = type[slot];
        site_owner[k] = slot;
    }
}

int LocalEnergies::State::take_slot() {
    if (unused.empty()) {
        unused.push_back(static_cast<int>(around.size()));
        around.emplace_back();
        type.push_back(0);
        place.push_back(-1);
        energies.push_back(0.0);
    }
    const int slot = unused.back();
    unused.pop_back();
    return slot;
}

LocalEnergies::LocalEnergies(const Potential& potential, Configuration configuration)
    : potential_(potential), state_(std::make_unique<State>(potential, std::move(configuration))) {
    energy_ = std::accumulate(state_->energies.begin(), state_->energies.end(), 0.0);
}

LocalEnergies::LocalEnergies(LocalEnergies&&) noexcept = default;
LocalEnergies::~LocalEnergies() = default;

int LocalEnergies::atoms() const { return static_cast<int>(state_->order.size()); }

void LocalEnergies::touch(int slot) {
    State& s = *state_;
    if (s.place[slot] >= 0) return;
    s.place[slot] = static_cast<int>(s.touched.size());
    s.touched.push_back(slot);
}

// Find the sites near the added atom and all atoms whose neighbours change; false if a hard core is touched.
bool LocalEnergies::find(const Change& change) {
    State& s = *state_;
    const PotentialData& data = potential_.data();
    const double limit = data.r_max * data.r_max;
    const int removed = change.removed >= 0 ? s.order[change.removed] : nobody;
    for (int slot : s.touched) s.place[slot] = -1;
    s.touched.clear();
    s.found.clear();
    if (removed >= 0)
        for (int slot : s.surroundings(removed, data.r_max).owner)
            if (slot != removed) touch(slot);
    if (change.added < 0) return true;
    const double* core = data.hard_core.data() + static_cast<std::size_t>(change.added) * data.species;
    for (std::size_t n = 0; n < s.shifts.size(); n += 3)
        if (square(s.shifts.data() + n, std::array<double, 3>{}.data()) < core[change.added] * core[change.added])
            return false;
    for (std::size_t k = 0; k < s.site_owner.size(); ++k) {
        const double distance = square(s.site(static_cast<int>(k)), s.home.data());
        if (distance >= limit || s.site_owner[k] == removed) continue;
        const double closest = core[s.site_type[k]];
        if (distance < on_top || distance < closest * closest) return false;
        s.found.push_back(static_cast<int>(k));
        touch(s.site_owner[k]);
    }
    return true;
}

// The surroundings of the touched atoms after the change, and those of the added atom; all by species.
void LocalEnergies::write_environments(const Change& change) {
    State& s = *state_;
    const int removed = change.removed >= 0 ? s.order[change.removed] : nobody, added = change.added;
    const std::size_t last = s.touched.size();
    s.environments.resize(std::max(s.environments.size(), last + 1));
    s.seen.resize(std::max(s.seen.size(), last));
    for (std::size_t n = 0; n < last; ++n) s.seen[n].clear();
    Environment& own = s.environments[last];
    own.clear(added);
    const auto see_itself = [&] {
        for (std::size_t n = 0; n < s.shifts.size(); n += 3)
            own.add({s.shifts[n], s.shifts[n + 1], s.shifts[n + 2]}, added, newcomer);
    };
    std::stable_sort(s.found.begin(), s.found.end(), [&](int k, int l) { return s.site_type[k] < s.site_type[l]; });
    bool itself = false;
    for (int k : s.found) {
        if (!itself && s.site_type[k] > added) see_itself();
        itself |= s.site_type[k] > added;
        const double* y = s.site(k);
        const std::array<double, 3> x = {y[0] - s.home[0], y[1] - s.home[1], y[2] - s.home[2]};
        own.add(x, s.site_type[k], s.site_owner[k]);
        s.seen[s.place[s.site_owner[k]]].push_back({-x[0], -x[1], -x[2]});
    }
    if (!itself) see_itself();
    for (std::size_t n = 0; n < last; ++n) {
        const Environment& before = s.surroundings(s.touched[n], potential_.data().r_max);
        Environment& after = s.environments[n];
        after.clear(before.type);
        const std::size_t count = before.kind.size();
        const std::size_t middle = std::upper_bound(before.kind.begin(), before.kind.end(), added) - before.kind.begin();
        after.copy_without(before, 0, middle, removed);
        for (const std::array<double, 3>& x : s.seen[n]) after.add(x, added, newcomer);
        after.copy_without(before, middle, count, removed);
    }
}

void LocalEnergies::check(const Change& change) const {
    const int species = potential_.data().species;
    if (change.removed < -1 || change.removed >= atoms())
        throw std::invalid_argument("atom " + std::to_string(change.removed) + " is not one of " +
                                    std::to_string(atoms()));
    if (change.added < -1 || change.added >= species)
        throw std::invalid_argument("type " + std::to_string(change.added) + " is outside 0.." +
                                    std::to_string(species - 1));
    const double sum = change.position[0] + change.position[1] + change.position[2];
    if (change.added >= 0 && !std::isfinite(sum))
        throw std::invalid_argument("the position of the added atom is not finite");
}

double LocalEnergies::after(const Change& change) {
    check(change);
    State& s = *state_;
    s.change = change;
    s.finite = false;
    if (change.added >= 0) s.home = wrapped(change.position, s.c.cell, s.c.periodic);
    if (!std::isfinite(energy_) || !find(change)) return infinity;
    std::sort(s.touched.begin(), s.touched.end(),
              [&s](int i, int j) { return s.type[i] != s.type[j] ? s.type[i] < s.type[j] : i < j; });
    for (std::size_t n = 0; n < s.touched.size(); ++n) s.place[s.touched[n]] = static_cast<int>(n);
    write_environments(change);
    const std::size_t count = s.touched.size() + (change.added >= 0 ? 1 : 0);
    s.trial_energies.resize(count);
    potential_.energies_of(s.environments, count, s.trial_energies.data());
    double difference = change.removed >= 0 ? -s.energies[s.order[change.removed]] : 0.0;
    for (std::size_t n = 0; n < s.touched.size(); ++n) difference += s.trial_energies[n] - s.energies[s.touched[n]];
    if (change.added >= 0) difference += s.trial_energies.back();
    s.finite = std::isfinite(difference);
    return energy_ + difference;
}

void LocalEnergies::accept(const Change& change, bool in_place) {
    State& s = *state_;
    const bool last = s.finite && s.change.removed == change.removed && s.change.added == change.added &&
                      (change.added < 0 || s.change.position == change.position);
    if (!last && !std::isfinite(after(change)))
        throw std::invalid_argument("a change with an infinite energy cannot be accepted; reject it");
    s.finite = false;
    if (change.removed >= 0) {
        const int slot = s.order[change.removed];
        s.remove_sites(slot);
        s.unused.push_back(slot);
        if (!in_place || change.added < 0) s.order.erase(s.order.begin() + change.removed);
    }
    int slot = newcomer;
    if (change.added >= 0) {
        slot = s.take_slot();
        s.type[slot] = change.added;
        s.add_sites(slot, potential_.data().r_max);
        if (in_place && change.removed >= 0)
            s.order[change.removed] = slot;
        else
            s.order.push_back(slot);
        s.touched.push_back(slot);
    }
    for (std::size_t n = 0; n < s.touched.size(); ++n) {
        std::swap(s.around[s.touched[n]], s.environments[n]);
        for (int& owner : s.around[s.touched[n]].owner) owner = owner == newcomer ? slot : owner;
        s.energies[s.touched[n]] = s.trial_energies[n];
        s.place[s.touched[n]] = -1;
    }
    s.touched.clear();
    energy_ = 0.0;
    for (int each : s.order) energy_ += s.energies[each];
}

}  // namespace scalebridge
