// Balanced tree that adds operands or finds the largest, registered after every second level and at the end.
//
// Latency: ceil(ceil(log2(N)) / 2) cycles (0 for one operand). Nothing stalls: a new set of operands may come every cycle.
// Sums grow by one bit a level up to OUT_BITS and are exact modulo 2^OUT_BITS.
// Synthesis tends to merge adders without a register between into one carry-save sum, which takes far more lookup tables where
// operands are selected by weights. With MERGE=0 the operands of an adder exchange their lowest bits, which leaves the sum as it
// is, but not the vector that synthesis would have to recognize. MERGE=1 is for sums behind DSP blocks, which take adders in.
module netfold_reduce_tree #(
    parameter int N        = 4,  // operands
    parameter int BITS     = 8,  // bits of an operand
    parameter bit SIGNED   = 1,  // operands are two's complement
    parameter bit MAX      = 0,  // largest operand instead of the sum
    parameter bit MERGE    = 0,  // adders may be merged
    parameter int OUT_BITS = 10  // bits of the result; with MAX equal to BITS
) (
    input  wire                clk,
    input  wire [N*BITS-1:0]   operands,
    output wire [OUT_BITS-1:0] result
);
  localparam int LEVELS = $clog2(N);
  localparam int ROOT_GROWN = MAX ? BITS : BITS + LEVELS;
  localparam int ROOT_BITS = ROOT_GROWN < OUT_BITS ? ROOT_GROWN : OUT_BITS;

  wire unused = &{1'b0, clk, operands};

  generate
    for (genvar l = 0; l <= LEVELS; l = l + 1) begin : g_level
      localparam int COUNT = (N + (1 << l) - 1) >> l;
      localparam int GROWN = MAX ? BITS : BITS + l;
      localparam int W = GROWN < OUT_BITS ? GROWN : OUT_BITS;
      wire [COUNT*W-1:0] values;
      if (l == 0) begin : g_operands
        for (genvar i = 0; i < COUNT; i = i + 1) begin : g_operand
          assign values[i*W+:W] = operands[i*BITS+:W];
        end
      end else begin : g_reduce
        localparam int P_COUNT = (N + (1 << (l - 1)) - 1) >> (l - 1);
        localparam int P_GROWN = MAX ? BITS : BITS + l - 1;
        localparam int PW = P_GROWN < OUT_BITS ? P_GROWN : OUT_BITS;
        wire [COUNT*W-1:0] reduced;
        for (genvar i = 0; i < COUNT; i = i + 1) begin : g_node
          wire [PW-1:0] a = g_level[l-1].values[2*i*PW+:PW];
          wire [W-1:0] a_wide;
          wire unused_wide = &{1'b0, a_wide};
          if (W == PW) begin : g_same
            assign a_wide = a;
          end else begin : g_extend
            assign a_wide = {SIGNED && a[PW-1], a};
          end
          if (2 * i + 1 < P_COUNT) begin : g_pair
            wire [PW-1:0] b = g_level[l-1].values[(2*i+1)*PW+:PW];
            if (MAX && SIGNED) begin : g_signed_max
              assign reduced[i*W+:W] = ($signed(a) >= $signed(b)) ? a : b;
            end else if (MAX) begin : g_max
              assign reduced[i*W+:W] = (a >= b) ? a : b;
            end else begin : g_sum
              wire [W-1:0] b_wide;
              if (W == PW) begin : g_same
                assign b_wide = b;
              end else begin : g_extend
                assign b_wide = {SIGNED && b[PW-1], b};
              end
              if (MERGE || W == 1) begin : g_plain
                assign reduced[i*W+:W] = a_wide + b_wide;
              end else begin : g_apart
                assign reduced[i*W+:W] = {a_wide[W-1:1], b_wide[0]} + {b_wide[W-1:1], a_wide[0]};
              end
            end
          end else begin : g_odd
            assign reduced[i*W+:W] = a_wide;
          end
        end
        if (l % 2 == 0 || l == LEVELS) begin : g_register
          reg [COUNT*W-1:0] stage;
          always @(posedge clk) stage <= reduced;
          assign values = stage;
        end else begin : g_pass
          assign values = reduced;
        end
      end
    end
    if (ROOT_BITS == OUT_BITS) begin : g_exact
      assign result = g_level[LEVELS].values;
    end else begin : g_widen
      wire [ROOT_BITS-1:0] root = g_level[LEVELS].values;
      assign result = {{(OUT_BITS - ROOT_BITS) {SIGNED && root[ROOT_BITS-1]}}, root};
    end
  endgenerate
endmodule
