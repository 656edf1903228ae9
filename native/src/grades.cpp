#include "scalebridge/grades.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>

namespace scalebridge {
namespace {

constexpr std::size_t cache_line = 64;

}  // namespace

const float* GradeMatrices::aligned(const std::vector<float>& values) {
    const auto address = reinterpret_cast<std::uintptr_t>(values.data());
    return reinterpret_cast<const float*>((address + cache_line - 1) / cache_line * cache_line);
}

GradeMatrices::GradeMatrices(const PotentialData& data, int width, const std::vector<std::vector<double>>& inverses)
    : size_(data.species * data.radial_functions * data.radial_size + 1 + static_cast<int>(data.scalar.size())) {
    const std::size_t size = size_, columns = static_cast<std::size_t>(columns_per_lane) * width;
    const std::size_t panels = (size + columns - 1) / columns;
    panels_ = static_cast<int>(panels);
    if (inverses.size() != static_cast<std::size_t>(data.species))
        throw std::invalid_argument(std::to_string(inverses.size()) + " inverses for " + std::to_string(data.species) +
                                    " species; give one for each");
    for (const std::vector<double>& inverse : inverses) {
        if (inverse.size() != size * size)
            throw std::invalid_argument("inverses must have shape (P, P) with P = " + std::to_string(size_));
        matrices_.emplace_back(size * columns * panels + cache_line / sizeof(float));
        float* out = const_cast<float*>(aligned(matrices_.back()));
        for (std::size_t i = 0; i < size; ++i)
            for (std::size_t j = 0; j < size; ++j)
                out[(j / columns * size + i) * columns + j % columns] = static_cast<float>(inverse[i * size + j]);
    }
}

}  // namespace scalebridge
