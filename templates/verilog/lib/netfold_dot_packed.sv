// Two dot products of the same SIMD inputs, both products of a column in one DSP block, accumulated over the beats from `first` to
// the last one before the next `first`. Results are exact modulo 2^ACC_BITS.
//
// The block multiplies x with w_high * 2^SHIFT + w_low, where w_high lacks one where w_low is below zero: below SHIFT stands the lower
// product as a signed number, above it the upper one less the lower one's sign (see netfold_ir::hw::packing).
//   SUM=0: every product is taken apart; the lower one's sign is the upper one's carry in the adders behind.
//   SUM=1: for SIMD=1; the block accumulates, from 2^(SHIFT-1), and the sums are taken apart. SHIFT bits hold the lower row's sum.
//
// x, weights and start are those of one beat, from registers. Latency to the updated accumulators: 1 (product) + tree(SIMD) + 1, with
// tree(n) = ceil(ceil(log2 n) / 2).
module netfold_dot_packed #(
    parameter int SIMD      = 4,
    parameter int IN_BITS   = 8,
    parameter bit IN_SIGNED = 1,
    parameter int LOW_BITS  = 8,   // bits of a lower weight
    parameter int HIGH_BITS = 8,   // bits of an upper weight
    parameter int SHIFT     = 16,  // position of the upper product
    parameter bit SUM       = 0,
    parameter int ACC_BITS  = 20
) (
    input  wire                      clk,
    input  wire [  SIMD*IN_BITS-1:0] x,
    input  wire [ SIMD*LOW_BITS-1:0] w_low,
    input  wire [SIMD*HIGH_BITS-1:0] w_high,
    // At the accumulators: a beat arrives, it is the first one of its rows, and the rows' start values (SUM=1: zero).
    input  wire                      acc_valid,
    input  wire                      acc_first,
    input  wire [      ACC_BITS-1:0] start_low,
    input  wire [      ACC_BITS-1:0] start_high,
    output wire [      ACC_BITS-1:0] low,
    output wire [      ACC_BITS-1:0] high
);
  localparam int XB = IN_SIGNED ? IN_BITS : IN_BITS + 1;
  localparam int FB = SHIFT + HIGH_BITS;  // bits of the packed factor
  localparam int PB = XB + FB;
  localparam int UB = XB + HIGH_BITS;  // bits of the upper part

  wire [SIMD*PB-1:0] products;
  generate
    for (genvar i = 0; i < SIMD; i = i + 1) begin : g_product
      wire signed [XB-1:0] xi;
      if (IN_SIGNED) begin : g_signed
        assign xi = $signed(x[i*IN_BITS+:IN_BITS]);
      end else begin : g_unsigned
        assign xi = $signed({1'b0, x[i*IN_BITS+:IN_BITS]});
      end
      wire [LOW_BITS-1:0] wi = w_low[i*LOW_BITS+:LOW_BITS];
      wire signed [FB-1:0] factor;
      assign factor[FB-1:SHIFT] = w_high[i*HIGH_BITS+:HIGH_BITS];
      if (SHIFT == LOW_BITS) begin : g_tight
        assign factor[SHIFT-1:0] = wi;
      end else begin : g_spread
        assign factor[SHIFT-1:0] = {{(SHIFT - LOW_BITS) {wi[LOW_BITS-1]}}, wi};
      end
      (* use_dsp = "yes" *) reg signed [PB-1:0] product;
      always @(posedge clk) product <= xi * factor;
      assign products[i*PB+:PB] = product;
    end

    if (SUM) begin : g_sum
      localparam int AB = SHIFT + ACC_BITS;
      localparam [AB-1:0] HALF = AB'(1) << (SHIFT - 1);
      wire [AB-1:0] product;
      if (AB > PB) begin : g_extend
        assign product = {{(AB - PB) {products[PB-1]}}, products};
      end else begin : g_cut
        assign product = products[AB-1:0];
        wire unused_product = &{1'b0, products};
      end
      (* use_dsp = "yes" *) reg [AB-1:0] sum;
      always @(posedge clk) if (acc_valid) sum <= (acc_first ? HALF : sum) + product;
      wire [SHIFT-1:0] lower = sum[SHIFT-1:0] ^ HALF[SHIFT-1:0];
      if (SHIFT < ACC_BITS) begin : g_sign
        assign low = {{(ACC_BITS - SHIFT) {lower[SHIFT-1]}}, lower};
      end else begin : g_low
        assign low = lower[ACC_BITS-1:0];
      end
      assign high = sum[AB-1:SHIFT];
      wire unused = &{1'b0, start_low, start_high, lower};
    end else begin : g_apart
      wire [SIMD*SHIFT-1:0] lower;
      wire [SIMD*UB-1:0] upper;
      wire [SIMD-1:0] negative;
      for (genvar i = 0; i < SIMD; i = i + 1) begin : g_parts
        assign {upper[i*UB+:UB], lower[i*SHIFT+:SHIFT]} = products[i*PB+:PB];
        assign negative[i] = lower[(i+1)*SHIFT-1];
      end
      wire [ACC_BITS-1:0] low_sum, high_sum;
      wire carry;
      netfold_reduce_tree #(
          .N(SIMD),
          .BITS(SHIFT),
          .SIGNED(1),
          .OUT_BITS(ACC_BITS)
      ) u_low (
          .clk(clk),
          .operands(lower),
          .result(low_sum)
      );
      netfold_carry_tree #(
          .N(SIMD),
          .BITS(UB),
          .OUT_BITS(ACC_BITS)
      ) u_high (
          .clk(clk),
          .operands(upper),
          .carries(negative),
          .result(high_sum),
          .carry(carry)
      );
      // As differences with a position below, of which a carry chain passes on the first operand: a lookup table a bit.
      reg [ACC_BITS-1:0] low_acc, high_acc;
      wire [ACC_BITS-1:0] low_begin = acc_first ? start_low : low_acc;
      wire [ACC_BITS-1:0] high_begin = acc_first ? start_high : high_acc;
      wire [ACC_BITS:0] low_next = {low_sum, 1'b0} - ~{low_begin, 1'b0};
      wire [ACC_BITS:0] high_next = {high_sum, carry} - ~{high_begin, 1'b0};
      always @(posedge clk)
        if (acc_valid) begin
          low_acc  <= low_next[ACC_BITS:1];
          high_acc <= high_next[ACC_BITS:1];
        end
      assign low  = low_acc;
      assign high = high_acc;
      wire unused = &{1'b0, low_next[0], high_next[0]};
    end
  endgenerate
endmodule
