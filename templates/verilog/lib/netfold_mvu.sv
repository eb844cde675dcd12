// Matrix-vector unit: PE rows and SIMD columns a cycle, NF row groups of SF beats each.
//
// A vector's SF beats are taken during the first row group and kept for the others. The weights of the next firing are on
// `weights` ([row][column]); `weights_next` asks for those of the one after. `start` likewise holds the start values of the row
// group that is at the accumulators (see netfold_dot).
// Latency: 1 + the latency of netfold_dot.
module netfold_mvu #(
    parameter int PE          = 2,
    parameter int SIMD        = 2,
    parameter int NF          = 2,
    parameter int SF          = 4,
    parameter int IN_BITS     = 8,
    parameter bit IN_SIGNED   = 1,
    parameter int WEIGHT_BITS = 8,
    parameter bit BIPOLAR     = 0,
    parameter bit DSP         = 1,
    parameter bit BLOCK       = 0,   // vector buffer in block memory
    parameter int OUT_BITS    = 20
) (
    input  wire                           clk,
    input  wire                           rst,
    input  wire                           in_valid,
    output wire                           in_take,
    input  wire [       SIMD*IN_BITS-1:0] in_data,
    input  wire                           out_space,
    output wire                           out_reserve,
    output wire                           out_put,
    output wire [        PE*OUT_BITS-1:0] out_data,
    input  wire [PE*SIMD*WEIGHT_BITS-1:0] weights,
    output wire                           weights_next,
    input  wire [        PE*OUT_BITS-1:0] start,
    output wire                           start_next
);
  localparam int XW = SIMD * IN_BITS;
  localparam int DIGITS = BIPOLAR ? 1 : (WEIGHT_BITS + 1) / 2;
  // Cycles from the operand registers to the accumulator's input.
  localparam int TO_ACC = DSP ? 1 + ($clog2(SIMD) + 1) / 2 : ($clog2(SIMD) + 1) / 2 + ($clog2(DIGITS) + 1) / 2;
  localparam bit ACCUMULATE = SF > 1;
  localparam int SW = SF > 1 ? $clog2(SF) : 1;
  localparam int NW = NF > 1 ? $clog2(NF) : 1;

  // Position: beat of the row group, row group of the vector.
  wire [SW-1:0] beat;
  wire first_beat, last_beat, loading, last_group;
  wire [NW-1:0] group;
  wire fire = (in_valid || !loading) && (out_space || !last_beat);
  netfold_counter #(
      .N(SF)
  ) u_beat (
      .clk(clk),
      .rst(rst),
      .step(fire),
      .value(beat),
      .first(first_beat),
      .last(last_beat)
  );
  netfold_counter #(
      .N(NF)
  ) u_group (
      .clk(clk),
      .rst(rst),
      .step(fire && last_beat),
      .value(group),
      .first(loading),
      .last(last_group)
  );
  assign in_take = fire && loading;
  assign out_reserve = fire && last_beat;
  assign weights_next = fire;

  // Operand registers.
  reg [XW-1:0] x;
  reg [PE*SIMD*WEIGHT_BITS-1:0] w;
  always @(posedge clk) w <= weights;
  generate
    if (NF == 1) begin : g_stream
      always @(posedge clk) x <= in_data;
    end else if (SF == 1) begin : g_hold
      always @(posedge clk) if (in_take) x <= in_data;
    end else if (BLOCK) begin : g_block
      wire [XW-1:0] kept;
      netfold_ram #(
          .WIDTH(XW),
          .DEPTH(SF),
          .BLOCK(1)
      ) u_vector (
          .clk(clk),
          .we(in_take),
          .waddr(beat),
          .wdata(in_data),
          .re(fire),
          .raddr(last_beat ? '0 : beat + 1'b1),
          .rdata(kept)
      );
      always @(posedge clk) x <= loading ? in_data : kept;
    end else begin : g_buffer
      reg [XW-1:0] vector[0:SF-1];
      always @(posedge clk) begin
        if (in_take) vector[beat] <= in_data;
        x <= loading ? in_data : vector[beat];
      end
    end
  endgenerate

  // Flags of the beat at the accumulator.
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
    for (genvar r = 0; r < PE; r = r + 1) begin : g_row
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
          .x(x),
          .w(w[r*SIMD*WEIGHT_BITS+:SIMD*WEIGHT_BITS]),
          .acc_valid(acc_valid),
          .acc_first(acc_first),
          .acc_start(start[r*OUT_BITS+:OUT_BITS]),
          .result(out_data[r*OUT_BITS+:OUT_BITS])
      );
    end
    if (DSP && !ACCUMULATE) begin : g_direct
      assign out_put = acc_last;
    end else begin : g_accumulated
      reg put;
      always @(posedge clk) put <= acc_last && !rst;
      assign out_put = put;
    end
  endgenerate

  wire unused = &{1'b0, BLOCK, beat, group, last_group, first_beat};
endmodule
