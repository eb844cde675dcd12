// Helpers of both kinds of simulation: bit packing of beats, and the run's record.
#ifndef NETFOLD_REPORT_H
#define NETFOLD_REPORT_H

#include <cstdint>
#include <cstring>

#include "netfold_model.h"

namespace netfold {

// Writes the low `bits` bits of `value` at bit `at` of little-endian 32-bit words. The words must be zero there, and two spare
// words must follow the last one.
inline void pack_bits(std::uint32_t* words, std::uint64_t at, unsigned bits, std::int64_t value) {
    const std::uint64_t mask = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
    const std::uint64_t raw = static_cast<std::uint64_t>(value) & mask;
    const unsigned shift = at % 32;
    std::uint32_t* const word = words + at / 32;
    const std::uint64_t low = raw << shift;
    word[0] |= static_cast<std::uint32_t>(low);
    word[1] |= static_cast<std::uint32_t>(low >> 32);
    if (shift != 0) word[2] |= static_cast<std::uint32_t>(raw >> (64 - shift));
}

// Reads `bits` bits at bit `at`; two spare words must follow the last one.
inline std::int64_t unpack_bits(const std::uint32_t* words, std::uint64_t at, unsigned bits, bool is_signed) {
    const unsigned shift = at % 32;
    const std::uint32_t* const word = words + at / 32;
    std::uint64_t raw = (word[0] | (static_cast<std::uint64_t>(word[1]) << 32)) >> shift;
    if (shift != 0) raw |= static_cast<std::uint64_t>(word[2]) << (64 - shift);
    if (bits == 64) return static_cast<std::int64_t>(raw);
    raw &= (std::uint64_t{1} << bits) - 1;
    if (is_signed && (raw >> (bits - 1)) != 0) raw |= ~std::uint64_t{0} << bits;
    return static_cast<std::int64_t>(raw);
}

inline void set_message(RunReply& reply, const char* text) {
    std::strncpy(reply.message, text, kMessageBytes - 1);
    reply.message[kMessageBytes - 1] = '\0';
}

inline void add_violation(RunReply& reply, ViolationKind kind, std::uint32_t port, std::uint64_t cycle, std::uint64_t beat) {
    if (reply.violation_count < kViolationsKept) reply.violations[reply.violation_count] = Violation{kind, port, cycle, beat};
    ++reply.violation_count;
}

}  // namespace netfold

#endif
