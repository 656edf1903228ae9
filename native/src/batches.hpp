// Packs a configuration into batches of atoms, one atom per lane.
#pragma once

#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "scalebridge/potential.hpp"

namespace scalebridge {

// Aligned scratch that grows.
template <class T>
class Scratch {
public:
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { std::free(data_); }
    T* reserve(std::size_t count) {
        if (count > size_) {
            const std::size_t grown = (count + count / 2 + 7) / 8 * 8;
            T* fresh = static_cast<T*>(std::aligned_alloc(64, (grown * sizeof(T) + 63) / 64 * 64));
            if (fresh == nullptr) throw std::bad_alloc();
            std::free(data_);
            data_ = fresh;
            size_ = grown;
        }
        return data_;
    }
    T* data() const { return data_; }

private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

// Positions of all sites of a neighbour list, padded to four numbers, and their species. One more site, at
// index `empty`, stands for no neighbour at all.
struct SiteTable {
    std::vector<double> position;
    std::vector<int> type;
    int empty;

    explicit SiteTable(const Configuration& c);
};

// Neighbours of one atom, written out: r_ij, species, and to whom they belong.
struct Environment {
    int type = -1;
    std::vector<double> d;  // [neighbour][3]
    std::vector<int> kind, owner;

    void clear(int of_type) {
        type = of_type;
        d.clear();
        kind.clear();
        owner.clear();
    }
    void add(const std::array<double, 3>& x, int of_kind, int of_owner) {
        d.insert(d.end(), x.begin(), x.end());
        kind.push_back(of_kind);
        owner.push_back(of_owner);
    }
    // Append neighbours first .. last-1 of another one, but those of the owner `without`.
    void copy_without(const Environment& from, std::size_t first, std::size_t last, int without) {
        for (std::size_t n = first; n < last; ++n) {
            if (from.owner[n] != without) continue;
            copy(from, first, n);
            first = n + 1;
        }
        copy(from, first, last);
    }

private:
    void copy(const Environment& from, std::size_t first, std::size_t last) {
        d.insert(d.end(), from.d.begin() + 3 * first, from.d.begin() + 3 * last);
        kind.insert(kind.end(), from.kind.begin() + first, from.kind.begin() + last);
        owner.insert(owner.end(), from.owner.begin() + first, from.owner.begin() + last);
    }
};

// The arrays of one batch. What later passes read again is the batch's own; what they only write on the way
// (pair gradients or velocities, tangents) is shared by all batches of a thread.
class Workspace {
public:
    Batch batch{};
    int atom[8] = {};             // central atom of each lane; sites.empty in lanes without
    bool core_touched[8] = {};
    bool close[8] = {};           // whether a neighbour of the lane is within the range of the repulsion
    const int* site = nullptr;    // [slot][lane]: the neighbour's site

    // Fill the batch with the atoms order[first], order[first + 1], ...
    void pack(const Configuration& c, const SiteTable& sites, const PotentialData& data, const Tables& p, int first,
              int width);
    // Fill the batch with `count` environments within the cutoff. There are no sites to scatter forces to.
    void pack(const Environment* environments, int count, const PotentialData& data, const Tables& p, int width);
    // Point the batch at the shared arrays of this thread.
    void borrow(const Tables& p, int width);

private:
    int pack_lane(const Configuration& c, const SiteTable& sites, const PotentialData& data, int lane, int width);
    void set_centre(int lane, int type);
    void fill_empty(const int* used, const PotentialData& data, int empty, int width);
    void see(const PotentialData& data, int width);
    void reserve(const Tables& p, std::size_t slots, int width);

    Scratch<int> site_, common_;
    Scratch<long long> kind_;
    Scratch<double> pairs_, functions_, moments_, seen_;
};

// A workspace from the pool of those not in use, returned to it at the end of its life.
struct ReturnWorkspace {
    void operator()(Workspace* w) const;
};
using WorkspaceHandle = std::unique_ptr<Workspace, ReturnWorkspace>;
WorkspaceHandle take_workspace();

double* thread_sums(std::size_t count);  // zeros, per thread

}  // namespace scalebridge
