// Matrix-vector and depthwise units with PE outputs and SIMD inputs a cycle. How the weights are stored, the top function says.
#ifndef NETFOLD_HLS_DENSE_H
#define NETFOLD_HLS_DENSE_H

#include "common.h"

namespace nf {

// How products are built: in DSP blocks, in logic, or as a sign where every weight is -1 or +1.
struct dsp {
    template <class W, class X>
    static auto product(const W& weight, const X& x) -> decltype(weight * x) {
        decltype(weight * x) result = weight * x;
        NF_PRAGMA(HLS BIND_OP variable=result op=mul impl=dsp)
        return result;
    }
};

struct fabric {
    template <class W, class X>
    static auto product(const W& weight, const X& x) -> decltype(weight * x) {
        decltype(weight * x) result = weight * x;
        NF_PRAGMA(HLS BIND_OP variable=result op=mul impl=fabric)
        return result;
    }
};

struct sign {
    template <class W, class X>
    static auto product(const W& weight, const X& x) -> decltype(-x) {
        decltype(-x) result = x;
        if (weight < 0) result = -x;
        return result;
    }
};

// y = W x for each of CONFIG::vectors vectors of a frame.
//
// A vector is taken while the first group of PE rows is computed and kept for the other groups, in CONFIG::vector_banks parts. Sums are exact: the element
// type of the output holds the result, and two's complement holds whatever comes on the way to it.
template <class CONFIG, class In, class Out, class Weight>
void matrix_vector(In& in, Out& out,
                   const Weight (&weights)[CONFIG::neuron_fold * CONFIG::synapse_fold][CONFIG::pe][CONFIG::simd]) {
    typedef typename port<In>::word in_word;
    typedef typename port<Out>::integer sum_type;
    sum_type sums[CONFIG::pe];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=sums complete)
    in_word vector[CONFIG::synapse_fold];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=vector cyclic factor=CONFIG::vector_banks)
    NF_PRAGMA(HLS DEPENDENCE variable=vector type=inter direction=RAW distance=CONFIG::synapse_fold dependent=true)
    int column = 0;
    int group = 0;
    int tile = 0;
    int taken = 0;
    int given = 0;
    for (int step = 0; step < CONFIG::vectors * CONFIG::neuron_fold * CONFIG::synapse_fold; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        in_word x;
        if (group == 0) {
            x = take(in, taken++);
            vector[column] = x;
        } else {
            x = vector[column];
        }
        for (int p = 0; p < CONFIG::pe; ++p) {
            NF_PRAGMA(HLS UNROLL)
            sum_type sum = 0;
            for (int s = 0; s < CONFIG::simd; ++s) {
                NF_PRAGMA(HLS UNROLL)
                const typename CONFIG::weight w = weights[tile][p][s];
                sum += CONFIG::multiplier::product(w, raw(x[s]));
            }
            sums[p] = column == 0 ? sum : sum_type(sums[p] + sum);
        }
        if (column == CONFIG::synapse_fold - 1) {
            typename port<Out>::word y;
            for (int p = 0; p < CONFIG::pe; ++p) {
                NF_PRAGMA(HLS UNROLL)
                set(y[p], sums[p]);
            }
            give(out, given++, y);
            advance<CONFIG::neuron_fold>(group);
        }
        advance<CONFIG::synapse_fold>(column);
        advance<CONFIG::neuron_fold * CONFIG::synapse_fold>(tile);
    }
}

// As matrix_vector, in another order: the first CONFIG::early words of a vector are multiplied with all row groups as they come, their
// sums kept for each group; then the groups are finished one after the other with the rest of the vector.
template <class CONFIG, class In, class Out, class Weight>
void matrix_vector_early(
    In& in, Out& out, const Weight (&weights)[CONFIG::neuron_fold * CONFIG::synapse_fold][CONFIG::pe][CONFIG::simd]) {
    typedef typename port<In>::word in_word;
    typedef typename port<Out>::integer sum_type;
    static const int rest = CONFIG::synapse_fold - CONFIG::early;
    sum_type sums[CONFIG::neuron_fold][CONFIG::pe];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=sums complete dim=2)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=sums cyclic factor=CONFIG::sum_banks dim=1)
    NF_PRAGMA(HLS DEPENDENCE variable=sums type=inter direction=RAW distance=CONFIG::neuron_fold dependent=true)
    sum_type running[CONFIG::pe];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=running complete)
    in_word vector[rest];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=vector cyclic factor=CONFIG::vector_banks)
    NF_PRAGMA(HLS DEPENDENCE variable=vector type=inter direction=RAW distance=rest dependent=true)
    in_word x;
    int column = 0;
    int group = 0;
    int tile = 0;
    int taken = 0;
    int given = 0;
    for (int step = 0; step < CONFIG::vectors * CONFIG::neuron_fold * CONFIG::synapse_fold; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const bool early = column < CONFIG::early;
        const int place = early ? 0 : column - CONFIG::early;
        if (group == 0) {
            x = take(in, taken++);
            if (!early) vector[place] = x;
        } else if (!early) {
            x = vector[place];
        }
        for (int p = 0; p < CONFIG::pe; ++p) {
            NF_PRAGMA(HLS UNROLL)
            sum_type sum = 0;
            for (int s = 0; s < CONFIG::simd; ++s) {
                NF_PRAGMA(HLS UNROLL)
                const typename CONFIG::weight w = weights[tile][p][s];
                sum += CONFIG::multiplier::product(w, raw(x[s]));
            }
            sum_type before = 0;
            if (early ? column > 0 : place == 0) {
                before = sums[group][p];
            } else if (!early) {
                before = running[p];
            }
            running[p] = before + sum;
            if (early) sums[group][p] = running[p];
        }
        if (column == CONFIG::synapse_fold - 1) {
            typename port<Out>::word y;
            for (int p = 0; p < CONFIG::pe; ++p) {
                NF_PRAGMA(HLS UNROLL)
                set(y[p], running[p]);
            }
            give(out, given++, y);
        }
        if (early) {
            if (group == CONFIG::neuron_fold - 1) ++column;
            advance<CONFIG::neuron_fold>(group);
        } else if (column == CONFIG::synapse_fold - 1) {
            column = group == CONFIG::neuron_fold - 1 ? 0 : CONFIG::early;
            advance<CONFIG::neuron_fold>(group);
        } else {
            ++column;
        }
        advance<CONFIG::neuron_fold * CONFIG::synapse_fold>(tile);
    }
}

// Dot product of each channel's window with its CONFIG::multiplicity rows of weights.
//
// Words hold SIMD taps of PE channels, [tap][channel]; a pixel comes in channel groups, each with all of its taps.
template <class CONFIG, class In, class Out, class Weight>
void depthwise(In& in, Out& out,
               const Weight (&weights)[CONFIG::channel_fold * CONFIG::tap_fold][CONFIG::pe * CONFIG::multiplicity][CONFIG::simd]) {
    typedef typename port<Out>::integer sum_type;
    sum_type sums[CONFIG::pe * CONFIG::multiplicity];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=sums complete)
    int taps = 0;
    int tile = 0;
    int given = 0;
    for (int step = 0; step < CONFIG::pixels * CONFIG::channel_fold * CONFIG::tap_fold; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word x = take(in, step);
        for (int row = 0; row < CONFIG::pe * CONFIG::multiplicity; ++row) {
            NF_PRAGMA(HLS UNROLL)
            sum_type sum = 0;
            for (int s = 0; s < CONFIG::simd; ++s) {
                NF_PRAGMA(HLS UNROLL)
                const typename CONFIG::weight w = weights[tile][row][s];
                sum += CONFIG::multiplier::product(w, raw(x[s * CONFIG::pe + row / CONFIG::multiplicity]));
            }
            sums[row] = taps == 0 ? sum : sum_type(sums[row] + sum);
        }
        if (taps == CONFIG::tap_fold - 1) {
            typename port<Out>::word y;
            for (int row = 0; row < CONFIG::pe * CONFIG::multiplicity; ++row) {
                NF_PRAGMA(HLS UNROLL)
                set(y[row], sums[row]);
            }
            give(out, given++, y);
        }
        advance<CONFIG::tap_fold>(taps);
        advance<CONFIG::channel_fold * CONFIG::tap_fold>(tile);
    }
}

}  // namespace nf

#endif
