// Test project: doubles and adds, in the three ways that a port can be passed.
#ifndef SCALE_H
#define SCALE_H

#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"
#include "words.h"

typedef ap_fixed<6, 3> input_t;
typedef ap_fixed<9, 6> result_t;
typedef words<input_t, 3> input_words;
typedef words<result_t, 3> result_words;

void scale_array(input_t x[6], result_t y[6]);
void scale_stream(hls::stream<input_words>& x, hls::stream<result_words>& y);
// Two 12-bit unsigned numbers a word in, their sum out.
void add_bits(hls::stream<ap_uint<24> >& x, hls::stream<ap_int<14> >& y);
// Reads one word too few and writes one too many.
void greedy(hls::stream<ap_uint<24> >& x, hls::stream<ap_int<14> >& y);

#endif
