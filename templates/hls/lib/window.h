// Sliding windows over images, with line buffers, and reductions of their taps.
#ifndef NETFOLD_HLS_WINDOW_H
#define NETFOLD_HLS_WINDOW_H

#include "common.h"
#include "reduce.h"

namespace nf {

// For every output pixel and every group of channels one word with all taps, [row][column][channel of the group].
//
// The image comes in raster order. Memories are split into CONFIG::line_banks and CONFIG::history_banks registers where they are
// read again so soon that a RAM would be too slow. Line buffers give each new pixel the pixels above it, `history` the columns to its left;
// taps outside of the image are the padding. After the last pixel the unit steps on until the last window is complete.
template <class CONFIG, class In, class Out, class Pad, int G, int L>
void sliding_window(In& in, Out& out, const Pad (&padding)[G][L]) {
    typedef typename port<In>::word word;
    word lines[at_least_one(CONFIG::extent_rows - 1)][CONFIG::line_words];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=lines complete dim=1)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=lines cyclic factor=CONFIG::line_banks dim=2)
    NF_PRAGMA(HLS DEPENDENCE variable=lines type=inter direction=RAW distance=CONFIG::line_words dependent=true)
    word history[CONFIG::kernel_rows][at_least_one(CONFIG::extent_columns - 1)][CONFIG::groups];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=history complete dim=1)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=history complete dim=2)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=history cyclic factor=CONFIG::history_banks dim=3)
    NF_PRAGMA(HLS DEPENDENCE variable=history type=inter direction=RAW distance=CONFIG::groups dependent=true)
    int group = 0;
    int pixel = 0;
    int line_word = 0;
    int top = -CONFIG::pad_top;
    int left = -CONFIG::pad_left;
    int complete = CONFIG::first_pixel;  // pixel with which the next window is complete
    int output_column = 0;
    int given = 0;
    for (int step = 0; step < CONFIG::steps; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        // The column of pixels that ends in the new one.
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

        typename port<Out>::word taps;
        for (int ky = 0; ky < CONFIG::kernel_rows; ++ky) {
            NF_PRAGMA(HLS UNROLL)
            for (int kx = 0; kx < CONFIG::kernel_columns; ++kx) {
                NF_PRAGMA(HLS UNROLL)
                const int y = top + ky * CONFIG::dilation_rows;
                const int x = left + kx * CONFIG::dilation_columns;
                const bool inside = y >= 0 && y < CONFIG::height && x >= 0 && x < CONFIG::width;
                const bool newest = kx == CONFIG::kernel_columns - 1;
                const word tap = newest ? column[ky * CONFIG::dilation_rows]
                                        : history[ky][newest ? 0 : kx * CONFIG::dilation_columns][group];
                for (int lane = 0; lane < CONFIG::lanes; ++lane) {
                    NF_PRAGMA(HLS UNROLL)
                    const int element = (ky * CONFIG::kernel_columns + kx) * CONFIG::lanes + lane;
                    if (inside) {
                        set(taps[element], raw(tap[lane]));
                    } else {
                        set(taps[element], at(padding, group, lane));
                    }
                }
            }
        }
        for (int ky = 0; ky < CONFIG::kernel_rows; ++ky) {
            NF_PRAGMA(HLS UNROLL)
            for (int back = 0; back < CONFIG::extent_columns - 1; ++back) {
                NF_PRAGMA(HLS UNROLL)
                const bool last = back == CONFIG::extent_columns - 2;
                history[ky][back][group] =
                    last ? column[ky * CONFIG::dilation_rows] : history[ky][last ? 0 : back + 1][group];
            }
        }

        const bool end_of_pixel = group == CONFIG::groups - 1;
        if (pixel == complete) {
            give(out, given++, taps);
            if (end_of_pixel) {
                if (output_column == CONFIG::output_columns - 1) {
                    output_column = 0;
                    left = -CONFIG::pad_left;
                    top += CONFIG::stride_rows;
                    complete += CONFIG::stride_rows * CONFIG::width -
                                (CONFIG::output_columns - 1) * CONFIG::stride_columns;
                } else {
                    ++output_column;
                    left += CONFIG::stride_columns;
                    complete += CONFIG::stride_columns;
                }
            }
        }
        if (end_of_pixel) ++pixel;
        advance<CONFIG::groups>(group);
        advance<CONFIG::line_words>(line_word);
    }
}

// Reduces the taps of each window, lane by lane.
template <class CONFIG, class In, class Out>
void window_reduce(In& in, Out& out) {
    typedef typename CONFIG::operation operation;
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word taps = take(in, index);
        typename port<Out>::word y;
        for (int lane = 0; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            typename operation::template total<In, Out>::type total = raw(taps[lane]);
            for (int tap = 1; tap < CONFIG::taps; ++tap) {
                NF_PRAGMA(HLS UNROLL)
                operation::add(total, raw(taps[tap * CONFIG::lanes + lane]));
            }
            set(y[lane], total);
        }
        give(out, index, y);
    }
}

}  // namespace nf

#endif
