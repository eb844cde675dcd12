// Several pixels of an image at once.
#ifndef NETFOLD_HLS_PIXELS_H
#define NETFOLD_HLS_PIXELS_H

#include "common.h"

namespace nf {

// Windows over an image of one group of channels, as sliding_window, of which a word holds the elements `given`, [row][column][channel]
// counted through. A word of the image holds several pixels of a row, and the elements are those of several windows.
template <class CONFIG, class In, class Out, class Pad, class Place, int L>
void sliding_windows(In& in, Out& out, const Pad (&padding)[1][L], const Place (&given)[CONFIG::elements]) {
    typedef typename port<In>::word word;
    word lines[at_least_one(CONFIG::extent_rows - 1)][CONFIG::width];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=lines complete dim=1)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=lines cyclic factor=CONFIG::line_banks dim=2)
    NF_PRAGMA(HLS DEPENDENCE variable=lines type=inter direction=RAW distance=CONFIG::width dependent=true)
    // The columns of the window, the newest last.
    word history[CONFIG::kernel_rows][CONFIG::kernel_columns];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=history complete dim=0)
    int pixel = 0;
    int line_word = 0;
    int top = -CONFIG::pad_top;
    int left = -CONFIG::pad_left;
    int complete = CONFIG::first_pixel;  // pixel with which the next window is complete
    int output_column = 0;
    int count = 0;
    for (int step = 0; step < CONFIG::steps; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        word column[CONFIG::extent_rows];
        NF_PRAGMA(HLS ARRAY_PARTITION variable=column complete)
        for (int r = 0; r < CONFIG::extent_rows - 1; ++r) {
            NF_PRAGMA(HLS UNROLL)
            column[r] = lines[r][line_word];
        }
        if (pixel < CONFIG::height * CONFIG::width) {
            column[CONFIG::extent_rows - 1] = take(in, step);
        } else {
            column[CONFIG::extent_rows - 1] = word();
        }
        for (int r = 0; r < CONFIG::extent_rows - 1; ++r) {
            NF_PRAGMA(HLS UNROLL)
            lines[r][line_word] = column[r + 1];
        }
        for (int ky = 0; ky < CONFIG::kernel_rows; ++ky) {
            NF_PRAGMA(HLS UNROLL)
            for (int kx = 0; kx < CONFIG::kernel_columns - 1; ++kx) {
                NF_PRAGMA(HLS UNROLL)
                history[ky][kx] = history[ky][kx + 1];
            }
            history[ky][CONFIG::kernel_columns - 1] = column[ky * CONFIG::dilation_rows];
        }
        if (pixel == complete) {
            typename port<Out>::word taps;
            for (int e = 0; e < CONFIG::elements; ++e) {
                NF_PRAGMA(HLS UNROLL)
                const int tap = given[e] / CONFIG::lanes;
                const int lane = given[e] % CONFIG::lanes;
                const int ky = tap / CONFIG::kernel_columns;
                const int kx = tap % CONFIG::kernel_columns;
                const int y = top + ky * CONFIG::dilation_rows;
                const int x = left + kx;
                if (y >= 0 && y < CONFIG::height && x >= 0 && x < CONFIG::width) {
                    set(taps[e], raw(history[ky][kx][lane]));
                } else {
                    set(taps[e], at(padding, 0, lane));
                }
            }
            give(out, count++, taps);
            if (output_column == CONFIG::output_columns - 1) {
                output_column = 0;
                left = -CONFIG::pad_left;
                top += CONFIG::stride_rows;
                complete += CONFIG::stride_rows * CONFIG::width - (CONFIG::output_columns - 1);
            } else {
                ++output_column;
                ++left;
                ++complete;
            }
        }
        ++pixel;
        advance<CONFIG::width>(line_word);
    }
}

// y = W x for CONFIG::pixels vectors at once, with all rows in parallel: words hold [vector][column] and [vector][row].
template <class CONFIG, class In, class Out, class Weight>
void matrix_vectors(In& in, Out& out, const Weight (&weights)[CONFIG::synapse_fold][CONFIG::pe][CONFIG::simd]) {
    typedef typename port<Out>::integer sum_type;
    sum_type sums[CONFIG::pixels][CONFIG::pe];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=sums complete dim=0)
    int column = 0;
    int count = 0;
    for (int step = 0; step < CONFIG::blocks * CONFIG::synapse_fold; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word x = take(in, step);
        for (int v = 0; v < CONFIG::pixels; ++v) {
            NF_PRAGMA(HLS UNROLL)
            for (int p = 0; p < CONFIG::pe; ++p) {
                NF_PRAGMA(HLS UNROLL)
                sum_type sum = 0;
                for (int s = 0; s < CONFIG::simd; ++s) {
                    NF_PRAGMA(HLS UNROLL)
                    const typename CONFIG::weight w = weights[column][p][s];
                    sum += CONFIG::multiplier::product(w, raw(x[v * CONFIG::simd + s]));
                }
                sums[v][p] = column == 0 ? sum : sum_type(sums[v][p] + sum);
            }
        }
        if (column == CONFIG::synapse_fold - 1) {
            typename port<Out>::word y;
            for (int v = 0; v < CONFIG::pixels; ++v) {
                NF_PRAGMA(HLS UNROLL)
                for (int p = 0; p < CONFIG::pe; ++p) {
                    NF_PRAGMA(HLS UNROLL)
                    set(y[v * CONFIG::pe + p], sums[v][p]);
                }
            }
            give(out, count++, y);
        }
        advance<CONFIG::synapse_fold>(column);
    }
}

}  // namespace nf

#endif
