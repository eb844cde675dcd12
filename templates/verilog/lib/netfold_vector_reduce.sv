// Reduces vectors of BEATS beats of LANES elements to one element. Latency: tree(LANES) + 1.
module netfold_vector_reduce #(
    parameter int BEATS    = 4,
    parameter int LANES    = 2,
    parameter int BITS     = 8,
    parameter bit SIGNED   = 1,
    parameter bit MAX      = 0,
    parameter int OUT_BITS = 12
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  in_valid,
    output wire                  in_take,
    input  wire [LANES*BITS-1:0] in_data,
    input  wire                  out_space,
    output wire                  out_reserve,
    output wire                  out_put,
    output wire [  OUT_BITS-1:0] out_data
);
  localparam int BW = BEATS > 1 ? $clog2(BEATS) : 1;
  localparam int TREE = ($clog2(LANES) + 1) / 2;
  localparam int GROWN = MAX ? BITS : BITS + $clog2(LANES);
  localparam int TB = GROWN < OUT_BITS ? GROWN : OUT_BITS;
  wire [BW-1:0] beat;
  wire first_beat, last_beat;
  wire fire = in_valid && (out_space || !last_beat);
  netfold_counter #(
      .N(BEATS)
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

  wire [TB-1:0] partial;
  netfold_reduce_tree #(
      .N(LANES),
      .BITS(BITS),
      .SIGNED(SIGNED),
      .MAX(MAX),
      .OUT_BITS(TB)
  ) u_tree (
      .clk(clk),
      .operands(in_data),
      .result(partial)
  );
  wire valid, first, last, put;
  netfold_delay #(
      .WIDTH (3),
      .STAGES(TREE),
      .RESET (1)
  ) u_flags (
      .clk(clk),
      .rst(rst),
      .d  ({fire, first_beat, fire && last_beat}),
      .q  ({valid, first, last})
  );
  netfold_delay #(
      .RESET(1)
  ) u_put (
      .clk(clk),
      .rst(rst),
      .d  (last),
      .q  (put)
  );
  assign out_put = put;
  reg [OUT_BITS-1:0] total;
  wire [OUT_BITS-1:0] next;
  netfold_combine #(
      .BITS(TB),
      .SIGNED(SIGNED),
      .MAX(MAX),
      .OUT(OUT_BITS)
  ) u_combine (
      .first(first),
      .old(total),
      .x(partial),
      .result(next)
  );
  always @(posedge clk) if (valid) total <= next;
  assign out_data = total;
  wire unused = &{1'b0, beat};
endmodule
