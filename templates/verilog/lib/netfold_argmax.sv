// Index of the largest element of vectors of BEATS beats of LANES elements; of equal ones the first, or with LAST the last.
// Latency: tree(LANES) + 1.
module netfold_argmax #(
    parameter int BEATS    = 4,
    parameter int LANES    = 2,
    parameter int BITS     = 8,
    parameter bit SIGNED   = 1,
    parameter bit LAST     = 0,
    parameter int OUT_BITS = 3
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
  localparam int LEVELS = $clog2(LANES);
  localparam int TREE = (LEVELS + 1) / 2;
  localparam int BW = BEATS > 1 ? $clog2(BEATS) : 1;
  // A candidate is {index, value}; the value's sign bit is inverted where SIGNED so that values compare as unsigned numbers.
  localparam int IW = OUT_BITS;
  localparam int W = IW + BITS;

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

  generate
    for (genvar l = 0; l <= LEVELS; l = l + 1) begin : g_level
      localparam int COUNT = (LANES + (1 << l) - 1) >> l;
      wire [COUNT*W-1:0] values;
      if (l == 0) begin : g_candidates
        for (genvar i = 0; i < COUNT; i = i + 1) begin : g_candidate
          assign values[i*W+:W] = {IW'(i), in_data[i*BITS+:BITS] ^ (BITS'(SIGNED) << (BITS - 1))};
        end
      end else begin : g_best
        localparam int P_COUNT = (LANES + (1 << (l - 1)) - 1) >> (l - 1);
        wire [COUNT*W-1:0] best;
        for (genvar i = 0; i < COUNT; i = i + 1) begin : g_node
          wire [W-1:0] a = g_level[l-1].values[2*i*W+:W];
          if (2 * i + 1 < P_COUNT) begin : g_pair
            wire [W-1:0] b = g_level[l-1].values[(2*i+1)*W+:W];
            wire better = LAST ? b[BITS-1:0] >= a[BITS-1:0] : b[BITS-1:0] > a[BITS-1:0];
            assign best[i*W+:W] = better ? b : a;
          end else begin : g_odd
            assign best[i*W+:W] = a;
          end
        end
        if (l % 2 == 0 || l == LEVELS) begin : g_register
          reg [COUNT*W-1:0] stage;
          always @(posedge clk) stage <= best;
          assign values = stage;
        end else begin : g_pass
          assign values = best;
        end
      end
    end
  endgenerate
  wire [BITS-1:0] value = g_level[LEVELS].values[BITS-1:0];
  wire [IW-1:0] local_index = g_level[LEVELS].values[W-1:BITS];

  wire valid, first, last;
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
      .q  (out_put)
  );
  // The best element so far, and the index of the next beat's first element.
  reg [BITS-1:0] best_value;
  reg [IW-1:0] best_index, base;
  wire [IW-1:0] here = first ? '0 : base;
  wire better = first || (LAST ? value >= best_value : value > best_value);
  always @(posedge clk) begin
    if (valid) begin
      base <= here + IW'(LANES);
      if (better) begin
        best_value <= value;
        best_index <= here + local_index;
      end
    end
  end
  assign out_data = best_index;
  wire unused = &{1'b0, beat};
endmodule
