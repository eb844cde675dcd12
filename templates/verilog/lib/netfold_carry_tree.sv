// Balanced tree that adds operands which lack a carry of one each, registered after every second level and at the end.
//
// Sum of all operands and all carries but one, which is left for the next adder: `result + carry` is the whole sum. Every adder
// takes the carry of its left operand, so that carries cost no adders. Operands are two's complement; the result is exact modulo
// 2^OUT_BITS. Latency: ceil(ceil(log2(N)) / 2) cycles (0 for one operand), as netfold_reduce_tree.
module netfold_carry_tree #(
    parameter int N        = 4,  // operands
    parameter int BITS     = 8,  // bits of an operand
    parameter int OUT_BITS = 10  // bits of the result
) (
    input  wire                clk,
    input  wire [  N*BITS-1:0] operands,
    input  wire [       N-1:0] carries,
    output wire [OUT_BITS-1:0] result,
    output wire                carry
);
  localparam int LEVELS = $clog2(N);
  localparam int ROOT_BITS = BITS + LEVELS < OUT_BITS ? BITS + LEVELS : OUT_BITS;

  wire unused = &{1'b0, clk, operands};

  generate
    for (genvar l = 0; l <= LEVELS; l = l + 1) begin : g_level
      localparam int COUNT = (N + (1 << l) - 1) >> l;
      localparam int W = BITS + l < OUT_BITS ? BITS + l : OUT_BITS;
      wire [COUNT*W-1:0] values;
      wire [  COUNT-1:0] left;
      if (l == 0) begin : g_operands
        for (genvar i = 0; i < COUNT; i = i + 1) begin : g_operand
          assign values[i*W+:W] = operands[i*BITS+:W];
        end
        assign left = carries;
      end else begin : g_add
        localparam int P_COUNT = (N + (1 << (l - 1)) - 1) >> (l - 1);
        localparam int PW = BITS + l - 1 < OUT_BITS ? BITS + l - 1 : OUT_BITS;
        wire [COUNT*W-1:0] sums;
        wire [  COUNT-1:0] open;
        for (genvar i = 0; i < COUNT; i = i + 1) begin : g_node
          wire [W:0] a;
          if (W == PW) begin : g_same
            assign a = {g_level[l-1].values[2*i*PW+:PW], 1'b1};
          end else begin : g_extend
            assign a = {g_level[l-1].values[(2*i+1)*PW-1], g_level[l-1].values[2*i*PW+:PW], 1'b1};
          end
          if (2 * i + 1 < P_COUNT) begin : g_pair
            // The lowest position makes the carry of the left operand that of the adder.
            wire [W:0] b;
            if (W == PW) begin : g_same
              assign b = {g_level[l-1].values[(2*i+1)*PW+:PW], g_level[l-1].left[2*i]};
            end else begin : g_extend
              assign b = {
                g_level[l-1].values[(2*i+2)*PW-1], g_level[l-1].values[(2*i+1)*PW+:PW], g_level[l-1].left[2*i]
              };
            end
            wire [W:0] sum = a + b;
            assign sums[i*W+:W] = sum[W:1];
            assign open[i] = g_level[l-1].left[2*i+1];
            wire unused_low = sum[0];
          end else begin : g_odd
            assign sums[i*W+:W] = a[W:1];
            assign open[i] = g_level[l-1].left[2*i];
            wire unused_low = a[0];
          end
        end
        if (l % 2 == 0 || l == LEVELS) begin : g_register
          reg [COUNT*W-1:0] stage;
          reg [  COUNT-1:0] stage_open;
          always @(posedge clk) begin
            stage <= sums;
            stage_open <= open;
          end
          assign values = stage;
          assign left = stage_open;
        end else begin : g_pass
          assign values = sums;
          assign left = open;
        end
      end
    end
    if (ROOT_BITS == OUT_BITS) begin : g_exact
      assign result = g_level[LEVELS].values;
    end else begin : g_widen
      wire [ROOT_BITS-1:0] root = g_level[LEVELS].values;
      assign result = {{(OUT_BITS - ROOT_BITS) {root[ROOT_BITS-1]}}, root};
    end
  endgenerate
  assign carry = g_level[LEVELS].left[0];
endmodule
