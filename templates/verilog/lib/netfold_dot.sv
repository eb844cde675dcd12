// Dot product of SIMD inputs and weights, accumulated over the beats from `first` to the last one before the next `first`.
// The result is exact modulo 2^ACC_BITS.
//
// x, w and start are those of one beat, from registers. Latency to the updated accumulator:
//   DSP=1: 1 (product) + tree(SIMD) + 1 (accumulator; without it when ACCUMULATE=0)
//   DSP=0: tree(SIMD) + tree(DIGITS) + 1 (accumulator)   with tree(n) = ceil(ceil(log2 n) / 2)
//
// DSP=0 multiplies in logic. A weight of WEIGHT_BITS bits is read as radix-4 Booth digits (A. D. Booth, 1951; O. L. MacSorley,
// 1961) in {-2, -1, 0, 1, 2}, each of which selects 0, u or 2u, inverted when negative, where u is the input as an unsigned
// number (sign bit inverted). Digits of equal weight are added over the SIMD lanes first, then the sums are combined. What
// inversions and the unsigned reading add is a constant of the weight row; `start`, the accumulator's start value, takes it back,
// and one for every beat with ACCUMULATE=1.
// With BIPOLAR=1 weights are -1 or +1 and stored in one bit (1: negative).
module netfold_dot #(
    parameter int SIMD        = 4,
    parameter int IN_BITS     = 8,
    parameter bit IN_SIGNED   = 1,
    parameter int WEIGHT_BITS = 8,
    parameter bit BIPOLAR     = 0,
    parameter bit DSP         = 1,
    parameter bit ACCUMULATE  = 1,
    parameter int ACC_BITS    = 20
) (
    input  wire                        clk,
    input  wire [    SIMD*IN_BITS-1:0] x,
    input  wire [SIMD*WEIGHT_BITS-1:0] w,
    // At the accumulator: a beat arrives, it is the first one of its row, and the row's start value.
    input  wire                        acc_valid,
    input  wire                        acc_first,
    input  wire [        ACC_BITS-1:0] acc_start,
    output wire [        ACC_BITS-1:0] result
);
  generate
    if (DSP) begin : g_dsp
      // One DSP block a product: operands as signed numbers, product in the block's own register.
      localparam int XB = IN_SIGNED ? IN_BITS : IN_BITS + 1;
      localparam int PB = XB + WEIGHT_BITS;
      wire [SIMD*PB-1:0] products;
      for (genvar i = 0; i < SIMD; i = i + 1) begin : g_product
        wire signed [XB-1:0] xi;
        if (IN_SIGNED) begin : g_signed
          assign xi = $signed(x[i*IN_BITS+:IN_BITS]);
        end else begin : g_unsigned
          assign xi = $signed({1'b0, x[i*IN_BITS+:IN_BITS]});
        end
        wire signed [WEIGHT_BITS-1:0] wi = $signed(w[i*WEIGHT_BITS+:WEIGHT_BITS]);
        (* use_dsp = "yes" *) reg signed [PB-1:0] product;
        always @(posedge clk) product <= xi * wi;
        assign products[i*PB+:PB] = product;
      end
      wire [ACC_BITS-1:0] sum;
      netfold_reduce_tree #(
          .N(SIMD),
          .BITS(PB),
          .SIGNED(1),
          .MERGE(1),
          .OUT_BITS(ACC_BITS)
      ) u_tree (
          .clk(clk),
          .operands(products),
          .result(sum)
      );
      if (ACCUMULATE && SIMD == 1) begin : g_accumulate
        // The block of the product accumulates.
        reg [ACC_BITS-1:0] acc;
        always @(posedge clk) if (acc_valid) acc <= (acc_first ? acc_start : acc) + sum;
        assign result = acc;
        wire unused = BIPOLAR;
      end else if (ACCUMULATE) begin : g_accumulate_sums
        // As a difference with a position below, of which a carry chain passes on the first operand: a lookup table a bit.
        reg [ACC_BITS-1:0] acc;
        wire [ACC_BITS-1:0] from = acc_first ? acc_start : acc;
        wire [ACC_BITS:0] following = {sum, 1'b0} - ~{from, 1'b0};
        always @(posedge clk) if (acc_valid) acc <= following[ACC_BITS:1];
        assign result = acc;
        wire unused = &{1'b0, BIPOLAR, following[0]};
      end else begin : g_direct
        assign result = sum;
        wire unused = &{1'b0, acc_valid, acc_first, acc_start, BIPOLAR};
      end
    end else begin : g_logic
      localparam int DIGITS = BIPOLAR ? 1 : (WEIGHT_BITS + 1) / 2;
      localparam int OB = BIPOLAR ? IN_BITS : IN_BITS + 1;  // bits of a selected operand
      localparam int LB = OB + $clog2(SIMD);  // bits of a digit's sum
      localparam int SB = LB < ACC_BITS ? LB : ACC_BITS;
      localparam int HB = LB + 2 * (DIGITS - 1);  // bits of a shifted sum
      localparam int CB = HB < ACC_BITS ? HB : ACC_BITS;
      wire [DIGITS*CB-1:0] sums;
      for (genvar d = 0; d < DIGITS; d = d + 1) begin : g_digit
        wire [SIMD*OB-1:0] selected;
        for (genvar i = 0; i < SIMD; i = i + 1) begin : g_select
          wire [IN_BITS-1:0] u;
          assign u = x[i*IN_BITS+:IN_BITS] ^ (IN_BITS'(IN_SIGNED) << (IN_BITS - 1));
          if (BIPOLAR) begin : g_sign
            assign selected[i*OB+:OB] = u ^ {IN_BITS{w[i]}};
          end else begin : g_booth
            wire b2 = w[i*WEIGHT_BITS+(2*d+1<WEIGHT_BITS?2*d+1 : WEIGHT_BITS-1)];
            wire b1 = w[i*WEIGHT_BITS+2*d];
            wire b0;
            if (d == 0) begin : g_lowest
              assign b0 = 1'b0;
            end else begin : g_overlap
              assign b0 = w[i*WEIGHT_BITS+2*d-1];
            end
            wire one = b1 ^ b0;
            wire two = b2 ? !b1 && !b0 : b1 && b0;
            wire negative = b2 && !(b1 && b0);
            assign selected[i*OB+:OB] = ({OB{one}} & {1'b0, u} | {OB{two}} & {u, 1'b0}) ^ {OB{negative}};
          end
        end
        wire [SB-1:0] sum;
        netfold_reduce_tree #(
            .N(SIMD),
            .BITS(OB),
            .SIGNED(0),
            .OUT_BITS(SB)
        ) u_tree (
            .clk(clk),
            .operands(selected),
            .result(sum)
        );
        wire [CB+SB-1:0] wide = {{CB{1'b0}}, sum} << (2 * d);
        assign sums[d*CB+:CB] = wide[CB-1:0];
        wire unused = &{1'b0, wide};
      end
      wire [ACC_BITS-1:0] sum;
      netfold_reduce_tree #(
          .N(DIGITS),
          .BITS(CB),
          .SIGNED(0),
          .OUT_BITS(ACC_BITS)
      ) u_combine (
          .clk(clk),
          .operands(sums),
          .result(sum)
      );
      if (ACCUMULATE) begin : g_accumulate
        // One more than the sum, which the start value takes back: a carry chain passes on the first operand of a difference, of a
        // sum either one, and only where that is a register a bit takes one lookup table.
        reg [ACC_BITS-1:0] acc;
        always @(posedge clk) if (acc_valid) acc <= sum - ~(acc_first ? acc_start : acc);
        assign result = acc;
      end else begin : g_start
        reg [ACC_BITS-1:0] acc;
        always @(posedge clk) acc <= acc_start + sum;
        assign result = acc;
        wire unused = &{1'b0, acc_valid, acc_first};
      end
    end
  endgenerate
endmodule
