#include "scale.h"

void scale_array(input_t x[6], result_t y[6]) {
    for (int i = 0; i < 6; i++) {
#pragma HLS UNROLL
        y[i] = x[i] * 2 + result_t(0.125);
    }
}

void scale_stream(hls::stream<input_words>& x, hls::stream<result_words>& y) {
    for (int beat = 0; beat < 2; beat++) {
#pragma HLS PIPELINE
        input_words in = x.read();
        result_words out;
        for (int i = 0; i < 3; i++) out[i] = in[i] * 2 + result_t(0.125);
        y.write(out);
    }
}

void add_bits(hls::stream<ap_uint<24> >& x, hls::stream<ap_int<14> >& y) {
    for (int beat = 0; beat < 2; beat++) {
        ap_uint<24> word = x.read();
        ap_uint<12> low = word.range(11, 0), high = word.range(23, 12);
        y.write(ap_int<14>(low) + ap_int<14>(high));
    }
}

void greedy(hls::stream<ap_uint<24> >& x, hls::stream<ap_int<14> >& y) {
    ap_uint<24> word = x.read();
    for (int i = 0; i < 3; i++) y.write(ap_int<14>(ap_uint<12>(word.range(11, 0))));
}
