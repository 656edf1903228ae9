// The index tables of a potential in the form that the kernels execute.
#pragma once

#include <array>
#include <map>
#include <vector>

#include "scalebridge/kernel_table.hpp"

namespace scalebridge {

constexpr double repulsion_whole_share = 0.6;  // of its range: whole below, switched off above

struct PotentialData {
    int species, radial_functions, radial_size;
    double r_min, r_max, scaling;
    std::vector<double> radial;          // [z_i][z_j][mu][k]
    std::vector<int> basic;              // rows (mu, a, b, c)
    std::vector<int> products;           // rows (left, right, mult, target)
    int moments;
    std::vector<int> scalar;
    std::vector<double> xi;
    std::vector<double> offsets;         // xi_z [eV]
    std::vector<double> hard_core;       // [z_i][z_j] [Å]; closer pairs have infinite energy
    std::vector<double> repulsion;       // [z_i][z_j] [Å]; closer pairs repel, 0: they do not
    std::vector<double> charges;         // [z] of the nuclei
};

// Moments are renumbered: those with c <= 1 first, by mu, then expanded ones, then derived ones.
class TableSet {
public:
    TableSet(const PotentialData& data, int width);

    Tables whole() const { return view(whole_); }
    Tables part(int alpha) const { return view(parts_[alpha]); }  // what one scalar function needs

private:
    using Row = std::array<int, 4>;
    struct Group {                       // m[target] += mult * sum of products of pairs of factors
        int target, depth, mult;
        std::vector<int> factors;
    };
    struct Program {
        std::vector<int> rank_of, expansion, seed_at;
        std::vector<double> seed;
        std::vector<int> start[2], rows[2];  // steps of one and of three products
        std::vector<double> mult[2];
    };

    Tables view(const Program& program) const;
    void transpose_radial(const PotentialData& data);
    void number_basic(const PotentialData& data);
    void group_products(const PotentialData& data);
    int basic_index(const Row& row);
    Program program_for(const std::vector<int>& scalars, const std::vector<double>& xi) const;
    void add_steps(const std::vector<char>& needed, Program& out) const;
    void add_seeds(std::vector<char> needed, const std::vector<int>& scalars, const std::vector<double>& xi,
                   Program& out) const;

    Tables shared_{};                    // what all programs have in common
    int width_;
    std::vector<Group> groups_;          // by rising target
    std::vector<Row> expansions_;
    std::vector<int> rank_of_, first_, number_, scalar_, mu_of_, rank_of_moment_;
    std::vector<double> radial_, xi_;
    std::map<Row, int> known_;
    Program whole_;
    std::vector<Program> parts_;
};

}  // namespace scalebridge
