// Reductions over pixels and vectors.
#ifndef NETFOLD_HLS_REDUCE_H
#define NETFOLD_HLS_REDUCE_H

#include "common.h"

namespace nf {

// Reductions. A maximum is kept in the type of the operands, which all candidates fit; a sum in that of the result.
struct maximum {
    template <class In, class Out>
    struct total {
        typedef typename port<In>::integer type;
    };
    template <class T, class X>
    static void add(T& total, const X& x) {
        if (x > total) total = x;
    }
};

struct sum {
    template <class In, class Out>
    struct total {
        typedef typename port<Out>::integer type;
    };
    template <class T, class X>
    static void add(T& total, const X& x) {
        total += x;
    }
};

// Reduces all pixels of a frame, channel by channel.
template <class CONFIG, class In, class Out>
void global_reduce(In& in, Out& out) {
    typedef typename CONFIG::operation operation;
    typename operation::template total<In, Out>::type totals[CONFIG::groups][CONFIG::lanes];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=totals complete dim=2)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=totals cyclic factor=CONFIG::total_banks dim=1)
    NF_PRAGMA(HLS DEPENDENCE variable=totals type=inter direction=RAW distance=CONFIG::groups dependent=true)
    int group = 0;
    int pixel = 0;
    for (int step = 0; step < CONFIG::pixels * CONFIG::groups; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word x = take(in, step);
        typename port<Out>::word y;
        for (int lane = 0; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            typename operation::template total<In, Out>::type total = raw(x[lane]);
            if (pixel != 0) {
                total = totals[group][lane];
                operation::add(total, raw(x[lane]));
            }
            totals[group][lane] = total;
            set(y[lane], total);
        }
        if (pixel == CONFIG::pixels - 1) give(out, group, y);
        if (group == CONFIG::groups - 1) ++pixel;
        advance<CONFIG::groups>(group);
    }
}

// Reduces each vector to one element.
template <class CONFIG, class In, class Out>
void vector_reduce(In& in, Out& out) {
    typedef typename CONFIG::operation operation;
    typedef typename operation::template total<In, Out>::type total_type;
    total_type total = 0;
    int part = 0;
    int given = 0;
    for (int step = 0; step < CONFIG::vectors * CONFIG::parts; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word x = take(in, step);
        total_type of_part = raw(x[0]);
        for (int lane = 1; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            operation::add(of_part, raw(x[lane]));
        }
        if (part == 0) {
            total = of_part;
        } else {
            operation::add(total, of_part);
        }
        if (part == CONFIG::parts - 1) {
            typename port<Out>::word y;
            set(y[0], total);
            give(out, given++, y);
        }
        advance<CONFIG::parts>(part);
    }
}

// Index of the largest element of each vector: the first of equal ones, or the last where CONFIG::last says so.
template <class CONFIG, class In, class Out>
void arg_max(In& in, Out& out) {
    typedef typename port<In>::integer value_type;
    value_type best = 0;
    int best_index = 0;
    int part = 0;
    int given = 0;
    for (int step = 0; step < CONFIG::vectors * CONFIG::parts; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word x = take(in, step);
        value_type best_of_part = raw(x[0]);
        int lane_of_part = 0;
        for (int lane = 1; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            const value_type value = raw(x[lane]);
            if (value > best_of_part || (CONFIG::last && value == best_of_part)) {
                best_of_part = value;
                lane_of_part = lane;
            }
        }
        if (part == 0 || best_of_part > best || (CONFIG::last && best_of_part == best)) {
            best = best_of_part;
            best_index = part * CONFIG::lanes + lane_of_part;
        }
        if (part == CONFIG::parts - 1) {
            typename port<Out>::word y;
            set(y[0], best_index);
            give(out, given++, y);
        }
        advance<CONFIG::parts>(part);
    }
}

}  // namespace nf

#endif
