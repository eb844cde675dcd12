// Words, ports and raw integers: what every layer of netfold's HLS library is written with.
//
// A port is a stream of words or an array of words; a word is `lanes` elements that move together, in the order of the
// tensor. Layers compute on raw integers: an ap_fixed element stands for its bits.
#ifndef NETFOLD_HLS_COMMON_H
#define NETFOLD_HLS_COMMON_H

// The vendor's default constructors leave values open on purpose, which g++ reports where it inlines them.
#if defined(__GNUC__) && !defined(__clang__) && !defined(__SYNTHESIS__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <ap_fixed.h>
#include <ap_int.h>
#include <hls_stream.h>
#if defined(__GNUC__) && !defined(__clang__) && !defined(__SYNTHESIS__)
#pragma GCC diagnostic pop
#endif

// A directive of the HLS compiler; nothing elsewhere, so that C simulation compiles without unknown pragmas.
#ifdef __SYNTHESIS__
#define NF_PRAGMA(...) _Pragma(#__VA_ARGS__)
#else
#define NF_PRAGMA(...)
#endif

namespace nf {

// N elements that move together.
template <class T, int N>
struct beat {
    typedef T element;
    static const int lanes = N;

    T data[N];

    beat() {
        NF_PRAGMA(HLS ARRAY_PARTITION variable=data complete)
    }
    T& operator[](int lane) { return data[lane]; }
    const T& operator[](int lane) const { return data[lane]; }
};

// The integer whose bits an element has.
template <int W>
inline ap_int<W> raw(const ap_int<W>& x) {
    return x;
}

template <int W>
inline ap_uint<W> raw(const ap_uint<W>& x) {
    return x;
}

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
inline ap_int<W> raw(const ap_fixed<W, I, Q, O, N>& x) {
    ap_int<W> bits;
    bits.range(W - 1, 0) = x.range(W - 1, 0);
    return bits;
}

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
inline ap_uint<W> raw(const ap_ufixed<W, I, Q, O, N>& x) {
    ap_uint<W> bits;
    bits.range(W - 1, 0) = x.range(W - 1, 0);
    return bits;
}

// Gives an element the bits of an integer.
template <int W, class V>
inline void set(ap_int<W>& element, const V& value) {
    element = value;
}

template <int W, class V>
inline void set(ap_uint<W>& element, const V& value) {
    element = value;
}

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N, class V>
inline void set(ap_fixed<W, I, Q, O, N>& element, const V& value) {
    const ap_int<W> bits = value;
    element.range(W - 1, 0) = bits.range(W - 1, 0);
}

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N, class V>
inline void set(ap_ufixed<W, I, Q, O, N>& element, const V& value) {
    const ap_uint<W> bits = value;
    element.range(W - 1, 0) = bits.range(W - 1, 0);
}

template <class T>
struct raw_type;
template <int W>
struct raw_type<ap_int<W> > {
    typedef ap_int<W> type;
};
template <int W>
struct raw_type<ap_uint<W> > {
    typedef ap_uint<W> type;
};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
struct raw_type<ap_fixed<W, I, Q, O, N> > {
    typedef ap_int<W> type;
};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
struct raw_type<ap_ufixed<W, I, Q, O, N> > {
    typedef ap_uint<W> type;
};

// What a port carries.
template <class P>
struct port;
template <class Word>
struct port<hls::stream<Word> > {
    typedef Word word;
    typedef typename raw_type<typename Word::element>::type integer;
    static const int lanes = Word::lanes;
};
template <class Word, int N>
struct port<Word[N]> : port<hls::stream<Word> > {};

// Word `index` of a frame: the next one of a stream.
template <class Word>
inline Word take(hls::stream<Word>& source, int) {
    return source.read();
}

template <class Word, int N>
inline Word take(const Word (&source)[N], int index) {
    return source[index];
}

template <class Word>
inline void give(hls::stream<Word>& target, int, const Word& word) {
    target.write(word);
}

template <class Word, int N>
inline void give(Word (&target)[N], int index, const Word& word) {
    target[index] = word;
}

// Gives a word on, with elements of the target's type.
template <class Out, class Word>
inline void pass(Out& target, int index, const Word& word) {
    typename port<Out>::word copy;
    for (int lane = 0; lane < Word::lanes; ++lane) {
        NF_PRAGMA(HLS UNROLL)
        set(copy[lane], raw(word[lane]));
    }
    give(target, index, copy);
}

// Parameter of a lane in group `group` of a frame's words; dimensions of 1 hold for all.
template <class T, int G, int L>
inline T at(const T (&parameters)[G][L], int group, int lane) {
    return parameters[G == 1 ? 0 : group][lane % L];
}

// Counts 0 .. size - 1 again and again.
template <int SIZE>
inline void advance(int& counter) {
    counter = counter == SIZE - 1 ? 0 : counter + 1;
}

// Length of an array that may be empty.
inline constexpr int at_least_one(int size) { return size > 0 ? size : 1; }

}  // namespace nf

#endif
