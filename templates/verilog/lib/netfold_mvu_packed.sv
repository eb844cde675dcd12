// Matrix-vector unit of which two rows share a DSP block a column: rows 2j and 2j + 1 of a row group; of an odd PE the last row has
// blocks of its own. Ports and order of work as netfold_mvu (EARLY=0) or netfold_mvu_early.
//
// `weights` holds for every pair of rows the SIMD lower weights and then the SIMD upper ones (see netfold_dot_packed), and the last
// row of an odd PE behind them.
// Latency: 1 + the latency of netfold_dot_packed.
module netfold_mvu_packed #(
    parameter int PE          = 2,
    parameter int SIMD        = 2,
    parameter int NF          = 2,
    parameter int SF          = 4,
    parameter int EARLY       = 0,
    parameter int IN_BITS     = 8,
    parameter bit IN_SIGNED   = 1,
    parameter int WEIGHT_BITS = 8,   // of a last row without a partner
    parameter int LOW_BITS    = 8,
    parameter int HIGH_BITS   = 8,
    parameter int SHIFT       = 16,
    parameter bit SUM         = 0,   // for SIMD=1, EARLY=0
    parameter bit BLOCK       = 0,   // vector buffer in block memory
    parameter int OUT_BITS    = 20,
    localparam int PAIRS = PE / 2,
    localparam int ODD = PE % 2,
    localparam int PAIR_BITS = SIMD * (LOW_BITS + HIGH_BITS),
    localparam int WEIGHTS = PAIRS * PAIR_BITS + ODD * SIMD * WEIGHT_BITS
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    in_valid,
    output wire                    in_take,
    input  wire [SIMD*IN_BITS-1:0] in_data,
    input  wire                    out_space,
    output wire                    out_reserve,
    output wire                    out_put,
    output wire [ PE*OUT_BITS-1:0] out_data,
    input  wire [     WEIGHTS-1:0] weights,
    output wire                    weights_next,
    input  wire [ PE*OUT_BITS-1:0] start,
    output wire                    start_next
);
  localparam int XW = SIMD * IN_BITS;
  localparam int YW = PE * OUT_BITS;
  localparam int TO_ACC = 1 + ($clog2(SIMD) + 1) / 2;  // cycles from the operand registers to the accumulators' input
  localparam int REST = SF - EARLY;
  localparam int RW = REST > 1 ? $clog2(REST) : 1;
  localparam int NW = NF > 1 ? $clog2(NF) : 1;

  // Position while beats are early; then row group and beat.
  wire early, first_early, first_of_groups;
  wire [RW-1:0] beat;
  wire [NW-1:0] group;
  wire first_beat, last_beat, first_group, last_group;
  wire loading = early ? first_of_groups : first_group;
  wire giving = !early && last_beat;
  wire fire = (in_valid || !loading) && (out_space || !giving);
  netfold_counter #(
      .N(REST)
  ) u_beat (
      .clk(clk),
      .rst(rst),
      .step(fire && !early),
      .value(beat),
      .first(first_beat),
      .last(last_beat)
  );
  netfold_counter #(
      .N(NF)
  ) u_group (
      .clk(clk),
      .rst(rst),
      .step(fire && giving),
      .value(group),
      .first(first_group),
      .last(last_group)
  );
  assign in_take = fire && loading;
  assign out_reserve = fire && giving;
  assign weights_next = fire;

  // Flags of the firing at the accumulators: its sums begin with the start values, or go on with what was saved; they are to be
  // saved, or are the result.
  wire acc_valid, acc_start, acc_resume, acc_save, acc_last;
  assign start_next = acc_start;
  wire [YW-1:0] begin_with;

  generate
    if (EARLY == 0) begin : g_in_turn
      assign {early, first_early, first_of_groups} = 3'b000;
      assign {acc_resume, acc_save} = 2'b00;
      assign begin_with = start;
      netfold_delay #(
          .WIDTH (3),
          .STAGES(1 + TO_ACC),
          .RESET (1)
      ) u_flags (
          .clk(clk),
          .rst(rst),
          .d  ({fire, fire && first_beat, fire && giving}),
          .q  ({acc_valid, acc_start, acc_last})
      );
      wire unused_order = &{1'b0, acc_resume, acc_save, first_early, last_group};
    end else begin : g_early
      localparam int EW = EARLY > 1 ? $clog2(EARLY) : 1;
      wire [NW-1:0] early_group;
      wire [EW-1:0] early_beat;
      wire last_of_groups, last_early;
      reg now;
      assign early = now;
      always @(posedge clk) begin
        if (rst) now <= 1'b1;
        else if (fire && now && last_of_groups && last_early) now <= 1'b0;
        else if (fire && giving && last_group) now <= 1'b1;
      end
      netfold_counter #(
          .N(NF)
      ) u_early_group (
          .clk(clk),
          .rst(rst),
          .step(fire && now),
          .value(early_group),
          .first(first_of_groups),
          .last(last_of_groups)
      );
      netfold_counter #(
          .N(EARLY)
      ) u_early_beat (
          .clk(clk),
          .rst(rst),
          .step(fire && now && last_of_groups),
          .value(early_beat),
          .first(first_early),
          .last(last_early)
      );
      netfold_delay #(
          .WIDTH (5),
          .STAGES(1 + TO_ACC),
          .RESET (1)
      ) u_flags (
          .clk(clk),
          .rst(rst),
          .d({fire, fire && now && first_early, fire && (now ? !first_early : first_beat), fire && now, fire && giving}),
          .q({acc_valid, acc_start, acc_resume, acc_save, acc_last})
      );
      // Sums of the early beats. A word is used again NF firings later at the earliest, when it has been written.
      wire [NW-1:0] place;
      wire unused_first, unused_last;
      netfold_counter #(
          .N(NF)
      ) u_place (
          .clk(clk),
          .rst(rst),
          .step(acc_save || acc_last),
          .value(place),
          .first(unused_first),
          .last(unused_last)
      );
      reg [YW-1:0] sums[0:NF-1];
      reg save;
      reg [NW-1:0] save_place;
      assign begin_with = acc_start ? start : sums[place];
      always @(posedge clk) begin
        save <= acc_save && !rst;
        save_place <= place;
        if (save) sums[save_place] <= out_data;
      end
      wire unused_order = &{1'b0, early_group, early_beat, unused_first, unused_last};
    end
  endgenerate

  // Operand registers.
  reg [XW-1:0] x;
  reg [WEIGHTS-1:0] w;
  always @(posedge clk) w <= weights;
  generate
    if (NF == 1) begin : g_stream
      always @(posedge clk) x <= in_data;
    end else if (REST == 1) begin : g_hold
      always @(posedge clk) if (loading) x <= in_data;
    end else if (BLOCK) begin : g_block
      wire [XW-1:0] kept;
      netfold_ram #(
          .WIDTH(XW),
          .DEPTH(REST),
          .BLOCK(1)
      ) u_vector (
          .clk(clk),
          .we(in_take && !early),
          .waddr(beat),
          .wdata(in_data),
          .re(fire && !early),
          .raddr(last_beat ? '0 : beat + 1'b1),
          .rdata(kept)
      );
      always @(posedge clk)
        if (loading) x <= in_data;
        else if (!early) x <= kept;
    end else begin : g_buffer
      reg [XW-1:0] vector[0:REST-1];
      always @(posedge clk) begin
        if (in_take && !early) vector[beat] <= in_data;
        if (loading) x <= in_data;
        else if (!early) x <= vector[beat];
      end
    end
  endgenerate

  generate
    for (genvar p = 0; p < PAIRS; p = p + 1) begin : g_pair
      netfold_dot_packed #(
          .SIMD(SIMD),
          .IN_BITS(IN_BITS),
          .IN_SIGNED(IN_SIGNED),
          .LOW_BITS(LOW_BITS),
          .HIGH_BITS(HIGH_BITS),
          .SHIFT(SHIFT),
          .SUM(SUM),
          .ACC_BITS(OUT_BITS)
      ) u_dot (
          .clk(clk),
          .x(x),
          .w_low(w[p*PAIR_BITS+:SIMD*LOW_BITS]),
          .w_high(w[p*PAIR_BITS+SIMD*LOW_BITS+:SIMD*HIGH_BITS]),
          .acc_valid(acc_valid),
          .acc_first(acc_start || acc_resume),
          .start_low(begin_with[2*p*OUT_BITS+:OUT_BITS]),
          .start_high(begin_with[(2*p+1)*OUT_BITS+:OUT_BITS]),
          .low(out_data[2*p*OUT_BITS+:OUT_BITS]),
          .high(out_data[(2*p+1)*OUT_BITS+:OUT_BITS])
      );
    end
    if (ODD == 1) begin : g_odd
      netfold_dot #(
          .SIMD(SIMD),
          .IN_BITS(IN_BITS),
          .IN_SIGNED(IN_SIGNED),
          .WEIGHT_BITS(WEIGHT_BITS),
          .BIPOLAR(0),
          .DSP(1),
          .ACCUMULATE(1),
          .ACC_BITS(OUT_BITS)
      ) u_dot (
          .clk(clk),
          .x(x),
          .w(w[PAIRS*PAIR_BITS+:SIMD*WEIGHT_BITS]),
          .acc_valid(acc_valid),
          .acc_first(acc_start || acc_resume),
          .acc_start(begin_with[(PE-1)*OUT_BITS+:OUT_BITS]),
          .result(out_data[(PE-1)*OUT_BITS+:OUT_BITS])
      );
    end
  endgenerate
  reg put;
  always @(posedge clk) put <= acc_last && !rst;
  assign out_put = put;

  wire unused = &{1'b0, BLOCK, WEIGHT_BITS[0], beat, group};
endmodule
