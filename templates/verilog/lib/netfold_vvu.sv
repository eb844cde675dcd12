// Depthwise unit: for PE channels at a time, MULTIPLICITY dot products each of TF beats of SIMD taps ([tap][channel]).
// Ports and latency as netfold_mvu; rows of `weights` and `start` are [channel][multiple].
module netfold_vvu #(
    parameter int PE           = 2,
    parameter int MULTIPLICITY = 1,
    parameter int SIMD         = 3,
    parameter int TF           = 3,
    parameter int IN_BITS      = 8,
    parameter bit IN_SIGNED    = 1,
    parameter int WEIGHT_BITS  = 8,
    parameter bit BIPOLAR      = 0,
    parameter bit DSP          = 1,
    parameter int OUT_BITS     = 20,
    localparam int ROWS = PE * MULTIPLICITY
) (
    input  wire                             clk,
    input  wire                             rst,
    input  wire                             in_valid,
    output wire                             in_take,
    input  wire [      SIMD*PE*IN_BITS-1:0] in_data,
    input  wire                             out_space,
    output wire                             out_reserve,
    output wire                             out_put,
    output wire [        ROWS*OUT_BITS-1:0] out_data,
    input  wire [ROWS*SIMD*WEIGHT_BITS-1:0] weights,
    output wire                             weights_next,
    input  wire [        ROWS*OUT_BITS-1:0] start,
    output wire                             start_next
);
  localparam int DIGITS = BIPOLAR ? 1 : (WEIGHT_BITS + 1) / 2;
  localparam int TO_ACC = DSP ? 1 + ($clog2(SIMD) + 1) / 2 : ($clog2(SIMD) + 1) / 2 + ($clog2(DIGITS) + 1) / 2;
  localparam bit ACCUMULATE = TF > 1;
  localparam int TW = TF > 1 ? $clog2(TF) : 1;

  wire [TW-1:0] beat;
  wire first_beat, last_beat;
  wire fire = in_valid && (out_space || !last_beat);
  netfold_counter #(
      .N(TF)
  ) u_beat (
      .clk(clk),
      .rst(rst),
      .step(fire),
      .value(beat),
      .first(first_beat),
      .last(last_beat)
  );
  assign in_take = fire;
  assign out_reserve = fire && last_beat;
  assign weights_next = fire;

  reg [SIMD*PE*IN_BITS-1:0] x;
  reg [ROWS*SIMD*WEIGHT_BITS-1:0] w;
  always @(posedge clk) begin
    x <= in_data;
    w <= weights;
  end

  wire acc_valid, acc_first, acc_last;
  netfold_delay #(
      .WIDTH (3),
      .STAGES(1 + TO_ACC),
      .RESET (1)
  ) u_flags (
      .clk(clk),
      .rst(rst),
      .d  ({fire, fire && first_beat, fire && last_beat}),
      .q  ({acc_valid, acc_first, acc_last})
  );
  assign start_next = acc_last;

  generate
    for (genvar c = 0; c < PE; c = c + 1) begin : g_channel
      wire [SIMD*IN_BITS-1:0] taps;
      for (genvar t = 0; t < SIMD; t = t + 1) begin : g_tap
        assign taps[t*IN_BITS+:IN_BITS] = x[(t*PE+c)*IN_BITS+:IN_BITS];
      end
      for (genvar m = 0; m < MULTIPLICITY; m = m + 1) begin : g_row
        localparam int R = c * MULTIPLICITY + m;
        netfold_dot #(
            .SIMD(SIMD),
            .IN_BITS(IN_BITS),
            .IN_SIGNED(IN_SIGNED),
            .WEIGHT_BITS(WEIGHT_BITS),
            .BIPOLAR(BIPOLAR),
            .DSP(DSP),
            .ACCUMULATE(ACCUMULATE),
            .ACC_BITS(OUT_BITS)
        ) u_dot (
            .clk(clk),
            .x(taps),
            .w(w[R*SIMD*WEIGHT_BITS+:SIMD*WEIGHT_BITS]),
            .acc_valid(acc_valid),
            .acc_first(acc_first),
            .acc_start(start[R*OUT_BITS+:OUT_BITS]),
            .result(out_data[R*OUT_BITS+:OUT_BITS])
        );
      end
    end
    if (DSP && !ACCUMULATE) begin : g_direct
      assign out_put = acc_last;
    end else begin : g_accumulated
      reg put;
      always @(posedge clk) put <= acc_last && !rst;
      assign out_put = put;
    end
  endgenerate

  wire unused = &{1'b0, beat, first_beat};
endmodule
