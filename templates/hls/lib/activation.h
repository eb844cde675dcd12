// Functions of one element: rescaling with rounding and saturation, threshold banks, tables.
//
// Parameters that differ from element to element come as [groups][lanes]; see nf::at.
#ifndef NETFOLD_HLS_ACTIVATION_H
#define NETFOLD_HLS_ACTIVATION_H

#include <type_traits>

#include "common.h"

namespace nf {

// t / 2^SHIFT, to the nearest integer with ties to even.
template <int SHIFT, class T>
inline T rounded_shift(const T& t, std::true_type) {
    const T floor = t >> SHIFT;
    const ap_uint<SHIFT> fraction = t;
    ap_uint<SHIFT> half = 0;
    half[SHIFT - 1] = 1;
    const bool odd = floor[0];
    const bool up = fraction > half || (fraction == half && odd);
    return up ? T(floor + 1) : floor;
}

// t / 2^SHIFT toward minus infinity.
template <int SHIFT, class T>
inline T rounded_shift(const T& t, std::false_type) {
    return t >> SHIFT;
}

// The nearest value in LINE::low .. LINE::high.
template <class LINE, class T>
inline T bounded(const T& value, std::false_type) {
    const T low = LINE::low;
    const T high = LINE::high;
    return value < low ? low : value > high ? high : value;
}

// Wrapped into the LINE::wrap_bits bits from LINE::low on.
template <class LINE, class T>
inline T bounded(const T& value, std::true_type) {
    const T low = LINE::low;
    const ap_uint<LINE::wrap_bits> offset = value - low;
    return T(offset + low);
}

// (factor * q + addend) / 2^LINE::shift, rounded, then saturated or wrapped. LINE::sum holds every intermediate value.
template <class LINE, class Q, class F, class A>
inline typename LINE::sum rescale(const Q& q, const F& factor, const A& addend) {
    const typename LINE::factor f = factor;
    const typename LINE::sum a = addend;
    const typename LINE::sum t = f * q + a;
    const typename LINE::sum v =
        rounded_shift<LINE::shift>(t, std::integral_constant<bool, LINE::half_even>());
    return bounded<LINE>(v, std::integral_constant<bool, (LINE::wrap_bits > 0)>());
}

// One affine piece.
template <class CONFIG, class In, class Out, class F, int FG, int FL, class A, int AG, int AL>
void mul_shift(In& in, Out& out, const F (&factors)[FG][FL], const A (&addends)[AG][AL]) {
    NF_PRAGMA(HLS ARRAY_PARTITION variable=factors complete dim=2)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=addends complete dim=2)
    int group = 0;
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word x = take(in, index);
        typename port<Out>::word y;
        for (int lane = 0; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            set(y[lane], rescale<typename CONFIG::line>(raw(x[lane]), at(factors, group, lane), at(addends, group, lane)));
        }
        give(out, index, y);
        advance<CONFIG::groups>(group);
    }
}

// Two affine pieces: the first below zero, the second from zero on.
template <class CONFIG, class In, class Out, class F, int FG, int FL, class A, int AG, int AL, class F2, int FG2, int FL2,
          class A2, int AG2, int AL2>
void two_slopes(In& in, Out& out, const F (&factors_below)[FG][FL], const A (&addends_below)[AG][AL],
                const F2 (&factors)[FG2][FL2], const A2 (&addends)[AG2][AL2]) {
    NF_PRAGMA(HLS ARRAY_PARTITION variable=factors_below complete dim=2)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=addends_below complete dim=2)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=factors complete dim=2)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=addends complete dim=2)
    int group = 0;
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word x = take(in, index);
        typename port<Out>::word y;
        for (int lane = 0; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            const typename port<In>::integer q = raw(x[lane]);
            if (q < 0) {
                set(y[lane], rescale<typename CONFIG::line_below>(q, at(factors_below, group, lane),
                                                                  at(addends_below, group, lane)));
            } else {
                set(y[lane], rescale<typename CONFIG::line>(q, at(factors, group, lane), at(addends, group, lane)));
            }
        }
        give(out, index, y);
        advance<CONFIG::groups>(group);
    }
}

// Number of ascending thresholds that q reaches: all compared at once.
template <class CONFIG, class Q, class T>
inline int reached(const Q& q, const T (&thresholds)[CONFIG::thresholds], std::true_type) {
    int count = 0;
    for (int k = 0; k < CONFIG::thresholds; ++k) {
        NF_PRAGMA(HLS UNROLL)
        const typename CONFIG::threshold t = thresholds[k];
        if (q >= t) ++count;
    }
    return count;
}

// The same by bisection, a bit of the count after the other.
template <class CONFIG, class Q, class T>
inline int reached(const Q& q, const T (&thresholds)[CONFIG::thresholds], std::false_type) {
    int count = 0;
    for (int bit = CONFIG::search_steps - 1; bit >= 0; --bit) {
        NF_PRAGMA(HLS UNROLL)
        const int candidate = count + (1 << bit);
        if (candidate <= CONFIG::thresholds) {
            const typename CONFIG::threshold t = thresholds[candidate - 1];
            if (q >= t) count = candidate;
        }
    }
    return count;
}

// y = base +- the number of thresholds that x reaches.
template <class CONFIG, class In, class Out, class T, int G, int L, class B, int BG, int BL, class D, int DG, int DL>
void threshold_bank(In& in, Out& out, const T (&thresholds)[G][L][CONFIG::thresholds], const B (&base)[BG][BL],
                    const D (&direction)[DG][DL]) {
    NF_PRAGMA(HLS ARRAY_PARTITION variable=thresholds complete dim=2)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=thresholds cyclic factor=CONFIG::partitions dim=3)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=base complete dim=2)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=direction complete dim=2)
    int group = 0;
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word x = take(in, index);
        typename port<Out>::word y;
        for (int lane = 0; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            const int count = reached<CONFIG>(raw(x[lane]), thresholds[G == 1 ? 0 : group][lane % L],
                                              std::integral_constant<bool, CONFIG::parallel>());
            const B first = at(base, group, lane);
            set(y[lane], at(direction, group, lane) < 0 ? first - count : first + count);
        }
        give(out, index, y);
        advance<CONFIG::groups>(group);
    }
}

// Index of q in a table of CONFIG::words entries that begins at CONFIG::first.
template <class CONFIG, class Q>
inline int table_index(const Q& q) {
    const typename CONFIG::index_type distance = q - typename CONFIG::index_type(CONFIG::first);
    if (distance < 0) return 0;
    if (distance > CONFIG::words - 1) return CONFIG::words - 1;
    return distance.to_int();
}

// Lookup table.
template <class CONFIG, class In, class Out, class T, int G, int L>
void lookup(In& in, Out& out, const T (&table)[G][L][CONFIG::words]) {
    NF_PRAGMA(HLS ARRAY_PARTITION variable=table complete dim=2)
    int group = 0;
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word x = take(in, index);
        typename port<Out>::word y;
        for (int lane = 0; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            set(y[lane], table[G == 1 ? 0 : group][lane % L][table_index<CONFIG>(raw(x[lane]))]);
        }
        give(out, index, y);
        advance<CONFIG::groups>(group);
    }
}

// Lookup table with an affine piece above its last entry.
template <class CONFIG, class In, class Out, class T, int G, int L, class F, int FG, int FL, class A, int AG, int AL>
void lookup_with_tail(In& in, Out& out, const T (&table)[G][L][CONFIG::words], const F (&factors)[FG][FL],
                      const A (&addends)[AG][AL]) {
    NF_PRAGMA(HLS ARRAY_PARTITION variable=table complete dim=2)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=factors complete dim=2)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=addends complete dim=2)
    int group = 0;
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word x = take(in, index);
        typename port<Out>::word y;
        for (int lane = 0; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            const typename port<In>::integer q = raw(x[lane]);
            const typename CONFIG::index_type distance = q - typename CONFIG::index_type(CONFIG::first);
            if (distance > CONFIG::words - 1) {
                set(y[lane], rescale<typename CONFIG::line>(q, at(factors, group, lane), at(addends, group, lane)));
            } else {
                set(y[lane], table[G == 1 ? 0 : group][lane % L][table_index<CONFIG>(q)]);
            }
        }
        give(out, index, y);
        advance<CONFIG::groups>(group);
    }
}

}  // namespace nf

#endif
