// Element-wise arithmetic on several tensors.
#ifndef NETFOLD_HLS_COMBINE_H
#define NETFOLD_HLS_COMBINE_H

#include "common.h"
#include "dense.h"

namespace nf {

// The terms of linear_combination from number TERM on.
template <class CONFIG, int TERM, class Sums, class C>
inline void add_terms(Sums&, const C&, int, int) {}

template <class CONFIG, int TERM, class Sums, class C, class In, class... Rest>
inline void add_terms(Sums& sums, const C& coefficients, int index, int group, In& in, Rest&... rest) {
    const typename port<In>::word x = take(in, index);
    for (int lane = 0; lane < CONFIG::lanes; ++lane) {
        NF_PRAGMA(HLS UNROLL)
        const typename CONFIG::coefficient c = at(coefficients[TERM], group, lane);
        sums[lane] += c * raw(x[lane]);
    }
    add_terms<CONFIG, TERM + 1>(sums, coefficients, index, group, rest...);
}

// y = constant + the sum of coefficient * x over all inputs.
template <class CONFIG, class Out, class C, int K, int CG, int CL, class D, int DG, int DL, class... In>
void linear_combination(Out& out, const C (&coefficients)[K][CG][CL], const D (&constants)[DG][DL], In&... in) {
    NF_PRAGMA(HLS ARRAY_PARTITION variable=coefficients complete dim=1)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=coefficients complete dim=3)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=constants complete dim=2)
    int group = 0;
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        typename port<Out>::integer sums[CONFIG::lanes];
        NF_PRAGMA(HLS ARRAY_PARTITION variable=sums complete)
        for (int lane = 0; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            sums[lane] = at(constants, group, lane);
        }
        add_terms<CONFIG, 0>(sums, coefficients, index, group, in...);
        typename port<Out>::word y;
        for (int lane = 0; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            set(y[lane], sums[lane]);
        }
        give(out, index, y);
        advance<CONFIG::groups>(group);
    }
}

// Element-wise product of two tensors.
template <class CONFIG, class Out, class A, class B>
void multiply(Out& out, A& a, B& b) {
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<A>::word x = take(a, index);
        const typename port<B>::word z = take(b, index);
        typename port<Out>::word y;
        for (int lane = 0; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            set(y[lane], CONFIG::multiplier::product(raw(x[lane]), raw(z[lane])));
        }
        give(out, index, y);
    }
}

// What broadcast computes of the scalar and an element.
struct subtract_from_scalar {
    template <class S, class X>
    static auto apply(const S& scalar, const X& x) -> decltype(scalar - x) {
        return scalar - x;
    }
};

struct multiply_by_scalar {
    template <class S, class X>
    static auto apply(const S& scalar, const X& x) -> decltype(scalar * x) {
        return scalar * x;
    }
};

// Joins each vector with its one scalar.
template <class CONFIG, class Out, class In, class Scalar>
void broadcast(Out& out, In& in, Scalar& scalars) {
    typename port<Scalar>::integer scalar = 0;
    int part = 0;
    int vector = 0;
    for (int step = 0; step < CONFIG::vectors * CONFIG::parts; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        if (part == 0) scalar = raw(take(scalars, vector++)[0]);
        const typename port<In>::word x = take(in, step);
        typename port<Out>::word y;
        for (int lane = 0; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            set(y[lane], CONFIG::operation::apply(scalar, raw(x[lane])));
        }
        give(out, step, y);
        advance<CONFIG::parts>(part);
    }
}

}  // namespace nf

#endif
