// Straight-line programs: unrolled parts of the network. Their operations are generated, in files below programs/.
#ifndef NETFOLD_HLS_PROGRAM_H
#define NETFOLD_HLS_PROGRAM_H

#include "common.h"

namespace nf {

// A beat in from every input and out to every output in every iteration; CONFIG::body holds the operations.
template <class CONFIG, class... Ports>
void program(Ports&... ports) {
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        CONFIG::body::run(index, ports...);
    }
}

// Adds a word to counts of bits in each column: digit k of all counts is counts[k].
template <int W>
inline void count(ap_uint<W> (&counts)[3], const ap_uint<W>& word) {
    NF_PRAGMA(HLS INLINE)
    const ap_uint<W> twos = counts[0] & word;
    counts[0] ^= word;
    counts[2] ^= counts[1] & twos;
    counts[1] ^= twos;
}

// The nearest value from `low` to `high`.
template <class T>
inline T clip(const T& value, long long low, long long high) {
    NF_PRAGMA(HLS INLINE)
    return value < T(low) ? T(low) : value > T(high) ? T(high) : value;
}

}  // namespace nf

#endif
