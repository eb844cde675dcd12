// Raw integers in and out of the types of an HLS project.
#ifndef NETFOLD_CSIM_H
#define NETFOLD_CSIM_H

#include <cstdint>
#include <type_traits>

#include "netfold_report.h"

namespace netfold {

// Sets the `bits` raw bits at bit `at` of an ap_int, ap_uint, ap_fixed or ap_ufixed; a C++ integer is set as a whole.
template <class T>
inline void set_raw(T& target, unsigned at, unsigned bits, std::int64_t value) {
    if constexpr (std::is_arithmetic<T>::value) {
        target = static_cast<T>(value);
    } else {
        const std::uint64_t mask = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
        target.range(static_cast<int>(at + bits - 1), static_cast<int>(at)) =
            static_cast<unsigned long long>(static_cast<std::uint64_t>(value) & mask);
    }
}

template <class T>
inline std::int64_t get_raw(T& source, unsigned at, unsigned bits, bool is_signed) {
    if constexpr (std::is_arithmetic<T>::value) {
        return static_cast<std::int64_t>(source);
    } else {
        const unsigned long long raw = source.range(static_cast<int>(at + bits - 1), static_cast<int>(at)).to_uint64();
        const std::uint32_t words[4] = {static_cast<std::uint32_t>(raw), static_cast<std::uint32_t>(raw >> 32), 0, 0};
        return unpack_bits(words, 0, bits, is_signed);
    }
}

}  // namespace netfold

#endif
