#include "scalebridge/tables.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace scalebridge {
namespace {

constexpr int widest = 8;

int rank_of(const int* row) { return row[1] + row[2] + row[3]; }

}  // namespace

TableSet::TableSet(const PotentialData& d) {
    if (d.radial_functions > max_radial_functions || d.radial_size > max_radial_size)
        throw std::invalid_argument("the kernel takes at most 16 radial functions and 64 radial basis functions");
    shared_.species = d.species;
    shared_.radial_functions = d.radial_functions;
    shared_.radial_size = d.radial_size;
    shared_.r_min = d.r_min;
    shared_.r_max = d.r_max;
    shared_.scaling = d.scaling;
    xi_ = d.xi;
    transpose_radial(d);
    number_basic(d);
    group_products(d);
    for (int k : d.scalar) scalar_.push_back(number_[k]);
    for (std::size_t alpha = 0; alpha < scalar_.size(); ++alpha) parts_.push_back(part_of(static_cast<int>(alpha)));
}

void TableSet::transpose_radial(const PotentialData& d) {
    const int size = d.radial_functions * d.radial_size;
    const int stride = (d.species + widest - 1) / widest * widest;
    shared_.species_stride = stride;
    radial_.assign(static_cast<std::size_t>(d.species) * size * stride, 0.0);
    for (int i = 0; i < d.species; ++i)
        for (int j = 0; j < d.species; ++j)
            for (int k = 0; k < size; ++k)
                radial_[(static_cast<std::size_t>(i) * size + k) * stride + j] =
                    d.radial[(static_cast<std::size_t>(i) * d.species + j) * size + k];
}

void TableSet::number_basic(const PotentialData& d) {
    const int basic = static_cast<int>(d.basic.size() / 4);
    whole_.rank_of.assign(d.radial_functions, -1);
    for (int b = 0; b < basic; ++b) {
        const int* row = &d.basic[4 * b];
        whole_.rank_of[row[0]] = std::max(whole_.rank_of[row[0]], rank_of(row));
    }
    shared_.rank = std::max(0, *std::max_element(whole_.rank_of.begin(), whole_.rank_of.end()));
    if (shared_.rank > max_rank) throw std::invalid_argument("the kernel takes moments of rank 12 at most");
    for (int mu = 0; mu < d.radial_functions; ++mu) {
        first_.push_back(shared_.reduced);
        shared_.reduced += (whole_.rank_of[mu] + 1) * (whole_.rank_of[mu] + 1);
        mu_of_.resize(shared_.reduced, mu);
    }
    rank_of_moment_.resize(shared_.reduced);
    for (int k = 0; k < shared_.reduced; ++k)
        while (rank_of_moment_[k] * (rank_of_moment_[k] + 2) < k - first_[mu_of_[k]]) ++rank_of_moment_[k];
    shared_.moments = shared_.reduced;
    number_.assign(d.moments, -1);
    for (int b = 0; b < basic; ++b) {
        const int* row = &d.basic[4 * b];
        number_[b] = basic_index({row[0], row[1], row[2], row[3]});
    }
    for (int k = basic; k < d.moments; ++k) number_[k] = shared_.moments++;
}

// Number of M_{mu, abc}; adds the expansion z^2 = 1 - x^2 - y^2 where c >= 2.
int TableSet::basic_index(const Row& row) {
    const auto [mu, a, b, c] = row;
    const int rank = a + b + c;
    if (c == 0) return first_[mu] + rank * rank + b;
    if (c == 1) return first_[mu] + rank * rank + rank + 1 + b;
    const auto found = known_.find(row);
    if (found != known_.end()) return found->second;
    const int terms[3] = {basic_index({mu, a, b, c - 2}), basic_index({mu, a + 2, b, c - 2}),
                          basic_index({mu, a, b + 2, c - 2})};
    const int number = shared_.moments++;
    whole_.expansion.insert(whole_.expansion.end(), {number, terms[0], terms[1], terms[2]});
    known_[row] = number;
    return number;
}

// Products by target, then by multiplicity, so that a factor is applied once per group.
void TableSet::group_products(const PotentialData& d) {
    const int basic = static_cast<int>(d.basic.size() / 4), products = static_cast<int>(d.products.size() / 4);
    std::vector<int> order(products);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&d](int x, int y) {
        const int *p = &d.products[4 * x], *q = &d.products[4 * y];
        return p[3] != q[3] ? p[3] < q[3] : p[2] < q[2];
    });
    const int* last = nullptr;
    for (int n : order) {
        const int* row = &d.products[4 * n];
        if (row[3] < basic) throw std::invalid_argument("a product's target is a basic moment");
        if (last == nullptr || last[3] != row[3] || last[2] != row[2]) {
            whole_.group_target.push_back(number_[row[3]]);
            whole_.group_start.push_back(static_cast<int>(whole_.factors.size() / 2));
            whole_.group_mult.push_back(row[2]);
        }
        whole_.factors.insert(whole_.factors.end(), {number_[row[0]], number_[row[1]]});
        last = row;
    }
    whole_.group_start.push_back(products);
}

TableSet::Program TableSet::part_of(int alpha) const {
    const Program& w = whole_;
    std::vector<char> needed(shared_.moments, 0);
    needed[scalar_[alpha]] = 1;
    std::vector<std::size_t> groups, rows;
    for (std::size_t g = w.group_target.size(); g-- > 0;) {
        if (!needed[w.group_target[g]]) continue;
        groups.push_back(g);
        for (int t = 2 * w.group_start[g]; t < 2 * w.group_start[g + 1]; ++t) needed[w.factors[t]] = 1;
    }
    for (std::size_t e = w.expansion.size() / 4; e-- > 0;) {
        if (!needed[w.expansion[4 * e]]) continue;
        rows.push_back(e);
        for (int t = 1; t < 4; ++t) needed[w.expansion[4 * e + t]] = 1;
    }
    Program out;
    for (auto g = groups.rbegin(); g != groups.rend(); ++g) {
        out.group_target.push_back(w.group_target[*g]);
        out.group_mult.push_back(w.group_mult[*g]);
        out.group_start.push_back(static_cast<int>(out.factors.size() / 2));
        out.factors.insert(out.factors.end(), w.factors.begin() + 2 * w.group_start[*g],
                           w.factors.begin() + 2 * w.group_start[*g + 1]);
    }
    out.group_start.push_back(static_cast<int>(out.factors.size() / 2));
    for (auto e = rows.rbegin(); e != rows.rend(); ++e)
        out.expansion.insert(out.expansion.end(), w.expansion.begin() + 4 * *e, w.expansion.begin() + 4 * *e + 4);
    out.rank_of.assign(w.rank_of.size(), -1);
    for (int k = 0; k < shared_.reduced; ++k)
        if (needed[k]) out.rank_of[mu_of_[k]] = std::max(out.rank_of[mu_of_[k]], rank_of_moment_[k]);
    return out;
}

Tables TableSet::view(const Program& program) const {
    Tables t = shared_;
    t.radial = radial_.data();
    t.rank_of = program.rank_of.data();
    t.rank = std::max(0, *std::max_element(program.rank_of.begin(), program.rank_of.end()));
    t.first = first_.data();
    t.expansions = static_cast<int>(program.expansion.size() / 4);
    t.expansion = program.expansion.data();
    t.groups = static_cast<int>(program.group_target.size());
    t.group_target = program.group_target.data();
    t.group_start = program.group_start.data();
    t.group_mult = program.group_mult.data();
    t.factors = program.factors.data();
    t.scalars = static_cast<int>(scalar_.size());
    t.scalar = scalar_.data();
    t.xi = xi_.data();
    return t;
}

}  // namespace scalebridge
