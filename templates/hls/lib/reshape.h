// Moving elements: arrays to words and back, forks, joins, selections, width changes, padding, permutations.
#ifndef NETFOLD_HLS_RESHAPE_H
#define NETFOLD_HLS_RESHAPE_H

#include "common.h"

namespace nf {

// A frame that stands in an array, as words.
template <class CONFIG, class Element, class Out>
void load(const Element source[CONFIG::beats * CONFIG::lanes], Out& out) {
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        typename port<Out>::word y;
        for (int lane = 0; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            set(y[lane], raw(source[index * CONFIG::lanes + lane]));
        }
        give(out, index, y);
    }
}

// The words of a frame into an array.
template <class CONFIG, class In, class Element>
void store(In& in, Element target[CONFIG::beats * CONFIG::lanes]) {
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word x = take(in, index);
        for (int lane = 0; lane < CONFIG::lanes; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            set(target[index * CONFIG::lanes + lane], raw(x[lane]));
        }
    }
}

// The same words on another port.
template <class CONFIG, class In, class Out>
void copy(In& in, Out& out) {
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        pass(out, index, take(in, index));
    }
}

template <class Word>
inline void pass_all(int, const Word&) {}

template <class Word, class Out, class... Rest>
inline void pass_all(int index, const Word& x, Out& out, Rest&... rest) {
    pass(out, index, x);
    pass_all(index, x, rest...);
}

// Each word to every output.
template <class CONFIG, class In, class... Out>
void fork(In& in, Out&... out) {
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        pass_all(index, take(in, index), out...);
    }
}

// The next word of the input whose share of the round holds position `place`.
template <class CONFIG, int INPUT, class Out>
inline void pass_from(Out&, int, int, int) {}

template <class CONFIG, int INPUT, class Out, class In, class... Rest>
inline void pass_from(Out& out, int given, int round, int place, In& in, Rest&... rest) {
    const int share = CONFIG::share(INPUT);
    if (place >= 0 && place < share) pass(out, given, take(in, round * share + place));
    pass_from<CONFIG, INPUT + 1>(out, given, round, place - share, rest...);
}

// In each round the share of every input in turn.
template <class CONFIG, class Out, class... In>
void concatenate(Out& out, In&... in) {
    int place = 0;
    int round = 0;
    for (int step = 0; step < CONFIG::rounds * CONFIG::round_beats; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        pass_from<CONFIG, 0>(out, step, round, place, in...);
        if (place == CONFIG::round_beats - 1) ++round;
        advance<CONFIG::round_beats>(place);
    }
}

// Keeps the words of CONFIG::count indices of CONFIG::size, from CONFIG::start on at distances of CONFIG::stride.
template <class CONFIG, class In, class Out>
void select(In& in, Out& out) {
    int inner = 0;
    int index = 0;
    int wanted = CONFIG::start;
    int kept = 0;
    int given = 0;
    for (int step = 0; step < CONFIG::rounds * CONFIG::size * CONFIG::inner; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word x = take(in, step);
        const bool keep = index == wanted && kept < CONFIG::count;
        if (keep) pass(out, given++, x);
        if (inner == CONFIG::inner - 1) {
            if (index == CONFIG::size - 1) {
                wanted = CONFIG::start;
                kept = 0;
            } else if (keep) {
                wanted += CONFIG::stride;
                ++kept;
            }
            advance<CONFIG::size>(index);
        }
        advance<CONFIG::inner>(inner);
    }
}

// Each word as CONFIG::from / CONFIG::to narrower ones.
template <class CONFIG, class In, class Out>
void narrow(In& in, Out& out) {
    const int parts = CONFIG::from / CONFIG::to;
    typename port<In>::word x;
    int part = 0;
    int taken = 0;
    for (int index = 0; index < CONFIG::elements / CONFIG::to; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        if (part == 0) x = take(in, taken++);
        typename port<Out>::word y;
        for (int lane = 0; lane < CONFIG::to; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            set(y[lane], raw(x[part * CONFIG::to + lane]));
        }
        give(out, index, y);
        advance<parts>(part);
    }
}

// CONFIG::to / CONFIG::from words as one wider one.
template <class CONFIG, class In, class Out>
void widen(In& in, Out& out) {
    const int parts = CONFIG::to / CONFIG::from;
    typename port<Out>::word y;
    int part = 0;
    int given = 0;
    for (int index = 0; index < CONFIG::elements / CONFIG::from; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const typename port<In>::word x = take(in, index);
        for (int lane = 0; lane < CONFIG::from; ++lane) {
            NF_PRAGMA(HLS UNROLL)
            set(y[part * CONFIG::from + lane], raw(x[lane]));
        }
        if (part == parts - 1) give(out, given++, y);
        advance<parts>(part);
    }
}

// Words of CONFIG::from elements as words of CONFIG::to elements, neither a multiple of the other.
template <class CONFIG, class In, class Out>
void regroup(In& in, Out& out) {
    const int steps = CONFIG::elements / (CONFIG::from < CONFIG::to ? CONFIG::from : CONFIG::to);
    typename port<In>::integer held[CONFIG::from + CONFIG::to];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=held complete)
    int count = 0;
    int taken = 0;
    int given = 0;
    for (int step = 0; step < steps; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        if (count < CONFIG::to) {
            const typename port<In>::word x = take(in, taken++);
            for (int lane = 0; lane < CONFIG::from; ++lane) {
                NF_PRAGMA(HLS UNROLL)
                held[count + lane] = raw(x[lane]);
            }
            count += CONFIG::from;
        }
        if (count >= CONFIG::to) {
            typename port<Out>::word y;
            for (int lane = 0; lane < CONFIG::to; ++lane) {
                NF_PRAGMA(HLS UNROLL)
                set(y[lane], held[lane]);
            }
            give(out, given++, y);
            for (int lane = 0; lane < CONFIG::from; ++lane) {
                NF_PRAGMA(HLS UNROLL)
                held[lane] = held[CONFIG::to + lane];
            }
            count -= CONFIG::to;
        }
    }
}

// Word order[i] of a frame at place i.
template <class CONFIG, class In, class Out, class Index>
void gather(In& in, Out& out, const Index (&order)[CONFIG::beats]) {
    for (int index = 0; index < CONFIG::beats; ++index) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        pass(out, index, in[order[index]]);
    }
}

// Constant pixels around an image.
template <class CONFIG, class In, class Out, class Pad, int G, int L>
void pad_image(In& in, Out& out, const Pad (&padding)[G][L]) {
    const int rows = CONFIG::height + CONFIG::pad_top + CONFIG::pad_bottom;
    const int columns = CONFIG::width + CONFIG::pad_left + CONFIG::pad_right;
    int group = 0;
    int x = 0;
    int y = 0;
    int taken = 0;
    for (int step = 0; step < rows * columns * CONFIG::groups; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        const bool inside = y >= CONFIG::pad_top && y < CONFIG::pad_top + CONFIG::height && x >= CONFIG::pad_left &&
                            x < CONFIG::pad_left + CONFIG::width;
        if (inside) {
            pass(out, step, take(in, taken++));
        } else {
            typename port<Out>::word word;
            for (int lane = 0; lane < CONFIG::lanes; ++lane) {
                NF_PRAGMA(HLS UNROLL)
                set(word[lane], at(padding, group, lane));
            }
            give(out, step, word);
        }
        if (group == CONFIG::groups - 1) {
            if (x == columns - 1) ++y;
            advance<columns>(x);
        }
        advance<CONFIG::groups>(group);
    }
}

// Nearest-neighbour upsampling.
template <class CONFIG, class In, class Out>
void upsample(In& in, Out& out) {
    typedef typename port<In>::word word;
    const int columns = CONFIG::width * CONFIG::factor_columns;
    word row[CONFIG::width][CONFIG::groups];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=row complete dim=2)
    NF_PRAGMA(HLS ARRAY_PARTITION variable=row cyclic factor=CONFIG::row_banks dim=1)
    NF_PRAGMA(HLS DEPENDENCE variable=row type=inter direction=RAW distance=CONFIG::row_distance dependent=true)
    word pixel[CONFIG::groups];
    NF_PRAGMA(HLS ARRAY_PARTITION variable=pixel complete)
    int group = 0;
    int repeat_x = 0;
    int repeat_y = 0;
    int x = 0;
    int taken = 0;
    for (int step = 0; step < CONFIG::height * CONFIG::factor_rows * columns * CONFIG::groups; ++step) {
        NF_PRAGMA(HLS PIPELINE II=1 style=flp)
        if (repeat_x == 0) {
            if (repeat_y == 0) {
                pixel[group] = take(in, taken++);
                row[x][group] = pixel[group];
            } else {
                pixel[group] = row[x][group];
            }
        }
        pass(out, step, pixel[group]);
        if (group == CONFIG::groups - 1) {
            if (repeat_x == CONFIG::factor_columns - 1) {
                if (x == CONFIG::width - 1) advance<CONFIG::factor_rows>(repeat_y);
                advance<CONFIG::width>(x);
            }
            advance<CONFIG::factor_columns>(repeat_x);
        }
        advance<CONFIG::groups>(group);
    }
}

}  // namespace nf

#endif
