// Matrix-vector unit that multiplies the first EARLY of a vector's SF beats with all NF groups of PE rows as they come, and then
// finishes the row groups one after the other. NF > 1 and 0 < EARLY < SF.
//
// Early beats are taken every NF firings; their sums wait in a memory of NF words. The other SF - EARLY beats are taken during the
// first row group that is finished and kept for the others. The weights of the next firing are on `weights` ([row][column]);
// `weights_next` asks for those of the one after. `start` likewise holds the start values of the row group that is at the
// accumulators with its first beat (see netfold_dot).
// Latency: 1 + the latency of netfold_dot.
module netfold_mvu_early #(
    parameter int PE          = 2,
    parameter int SIMD        = 2,
    parameter int NF          = 2,
    parameter int SF          = 4,
    parameter int EARLY       = 2,
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
  localparam int YW = PE * OUT_BITS;
  localparam int DIGITS = BIPOLAR ? 1 : (WEIGHT_BITS + 1) / 2;
  // Cycles from the operand registers to the accumulator's input.
  localparam int TO_ACC = DSP ? 1 + ($clog2(SIMD) + 1) / 2 : ($clog2(SIMD) + 1) / 2 + ($clog2(DIGITS) + 1) / 2;
  localparam int REST = SF - EARLY;
  localparam int EW = EARLY > 1 ? $clog2(EARLY) : 1;
  localparam int RW = REST > 1 ? $clog2(REST) : 1;
  localparam int NW = $clog2(NF);

  // Position: beat and row group while beats are early; then row group and beat.
  reg early;
  wire [EW-1:0] early_beat;
  wire [NW-1:0] early_group, group;
  wire [RW-1:0] beat;
  wire first_early, last_early, first_of_groups, last_of_groups;
  wire first_beat, last_beat, first_group, last_group;
  wire loading = early ? first_of_groups : first_group;
  wire giving = !early && last_beat;
  wire fire = (in_valid || !loading) && (out_space || !giving);
  netfold_counter #(
      .N(NF)
  ) u_early_group (
      .clk(clk),
      .rst(rst),
      .step(fire && early),
      .value(early_group),
      .first(first_of_groups),
      .last(last_of_groups)
  );
  netfold_counter #(
      .N(EARLY)
  ) u_early_beat (
      .clk(clk),
      .rst(rst),
      .step(fire && early && last_of_groups),
      .value(early_beat),
      .first(first_early),
      .last(last_early)
  );
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
  always @(posedge clk) begin
    if (rst) early <= 1'b1;
    else if (fire && early && last_of_groups && last_early) early <= 1'b0;
    else if (fire && giving && last_group) early <= 1'b1;
  end
  assign in_take = fire && loading;
  assign out_reserve = fire && giving;
  assign weights_next = fire;

  // Operand registers.
  reg [XW-1:0] x;
  reg [PE*SIMD*WEIGHT_BITS-1:0] w;
  always @(posedge clk) w <= weights;
  generate
    if (REST == 1) begin : g_hold
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

  // Flags of the firing at the accumulators: its sums begin with the start values, or go on with what was saved; they are to be
  // saved, or are the result.
  wire acc_valid, acc_start, acc_resume, acc_save, acc_last;
  netfold_delay #(
      .WIDTH (5),
      .STAGES(1 + TO_ACC),
      .RESET (1)
  ) u_flags (
      .clk(clk),
      .rst(rst),
      .d({fire, fire && early && first_early, fire && (early ? !first_early : first_beat), fire && early, fire && giving}),
      .q({acc_valid, acc_start, acc_resume, acc_save, acc_last})
  );
  assign start_next = acc_start;

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
  wire [YW-1:0] saved = sums[place];
  wire [YW-1:0] begin_with = acc_start ? start : saved;
  always @(posedge clk) begin
    save <= acc_save && !rst;
    save_place <= place;
    if (save) sums[save_place] <= out_data;
  end

  generate
    for (genvar r = 0; r < PE; r = r + 1) begin : g_row
      netfold_dot #(
          .SIMD(SIMD),
          .IN_BITS(IN_BITS),
          .IN_SIGNED(IN_SIGNED),
          .WEIGHT_BITS(WEIGHT_BITS),
          .BIPOLAR(BIPOLAR),
          .DSP(DSP),
          .ACCUMULATE(1),
          .ACC_BITS(OUT_BITS)
      ) u_dot (
          .clk(clk),
          .x(x),
          .w(w[r*SIMD*WEIGHT_BITS+:SIMD*WEIGHT_BITS]),
          .acc_valid(acc_valid),
          .acc_first(acc_start || acc_resume),
          .acc_start(begin_with[r*OUT_BITS+:OUT_BITS]),
          .result(out_data[r*OUT_BITS+:OUT_BITS])
      );
    end
  endgenerate
  reg put;
  always @(posedge clk) put <= acc_last && !rst;
  assign out_put = put;

  wire unused = &{1'b0, BLOCK, beat, group, early_beat, early_group, last_early, unused_first, unused_last};
endmodule
