// Product of two variables, exact modulo 2^OUT_BITS. Latency: 3 with DSP (operands, product, result), otherwise 4.
// Without DSP the second operand is read as radix-4 Booth digits whose rows are added in a tree; it should be the narrower one
// and may have up to 62 bits.
module netfold_multiply #(
    parameter int A_BITS   = 8,
    parameter bit A_SIGNED = 1,
    parameter int B_BITS   = 8,
    parameter bit B_SIGNED = 1,
    parameter bit DSP      = 1,
    parameter int OUT_BITS = 16
) (
    input  wire                clk,
    input  wire [  A_BITS-1:0] a,
    input  wire [  B_BITS-1:0] b,
    output wire [OUT_BITS-1:0] p
);
  localparam int AB = A_SIGNED ? A_BITS : A_BITS + 1;
  localparam int BB = B_SIGNED ? B_BITS : B_BITS + 1;
  wire signed [AB-1:0] a_wide;
  wire signed [BB-1:0] b_wide;
  generate
    if (A_SIGNED) begin : g_a_signed
      assign a_wide = $signed(a);
    end else begin : g_a_unsigned
      assign a_wide = $signed({1'b0, a});
    end
    if (B_SIGNED) begin : g_b_signed
      assign b_wide = $signed(b);
    end else begin : g_b_unsigned
      assign b_wide = $signed({1'b0, b});
    end
    if (DSP) begin : g_dsp
      localparam int PB = AB + BB;
      reg signed [AB-1:0] a_reg;
      reg signed [BB-1:0] b_reg;
      (* use_dsp = "yes" *) reg signed [PB-1:0] product;
      reg signed [PB-1:0] result;
      always @(posedge clk) begin
        a_reg   <= a_wide;
        b_reg   <= b_wide;
        product <= a_reg * b_reg;
        result  <= product;
      end
      netfold_cast #(
          .FROM_BITS(PB),
          .TO_BITS  (OUT_BITS)
      ) u_cast (
          .d(result),
          .q(p)
      );
    end else begin : g_logic
      localparam int DIGITS = (BB + 1) / 2;
      localparam int TREE = ($clog2(DIGITS + 1) + 1) / 2;
      localparam int RB = AB + 1;
      reg signed [AB-1:0] a_reg;
      reg [2*DIGITS-1:0] b_reg;
      always @(posedge clk) begin
        a_reg <= a_wide;
        b_reg <= (2 * DIGITS)'(b_wide);
      end
      // Row d is the selected multiple of a, inverted when negative; the carry that completes the negation is part of the next row.
      wire [(DIGITS+1)*OUT_BITS-1:0] rows;
      wire [DIGITS:0] negative;
      assign negative[0] = 1'b0;
      for (genvar d = 0; d < DIGITS; d = d + 1) begin : g_digit
        wire b2 = b_reg[2*d+1];
        wire b1 = b_reg[2*d];
        wire b0;
        if (d == 0) begin : g_lowest
          assign b0 = 1'b0;
        end else begin : g_overlap
          assign b0 = b_reg[2*d-1];
        end
        wire one = b1 ^ b0;
        wire two = b2 ? !b1 && !b0 : b1 && b0;
        assign negative[d+1] = b2;
        wire [RB-1:0] row = ({RB{one}} & {a_reg[AB-1], a_reg} | {RB{two}} & {a_reg, 1'b0}) ^ {RB{b2}};
        wire [OUT_BITS+RB+2*d-1:0] wide = {{OUT_BITS{row[RB-1]}}, row, {(2 * d) {1'b0}}};
        wire [OUT_BITS+RB+2*d-1:0] carry = (OUT_BITS + RB + 2 * d)'(negative[d]) << (2 * d > 1 ? 2 * d - 2 : 0);
        assign rows[d*OUT_BITS+:OUT_BITS] = wide[OUT_BITS-1:0] | carry[OUT_BITS-1:0];
        wire unused_high = &{1'b0, wide, carry};
      end
      wire [OUT_BITS+2*DIGITS-1:0] last_carry = (OUT_BITS + 2 * DIGITS)'(negative[DIGITS]) << (2 * DIGITS - 2);
      assign rows[DIGITS*OUT_BITS+:OUT_BITS] = last_carry[OUT_BITS-1:0];
      wire [OUT_BITS-1:0] sum;
      netfold_reduce_tree #(
          .N(DIGITS + 1),
          .BITS(OUT_BITS),
          .SIGNED(0),
          .OUT_BITS(OUT_BITS)
      ) u_tree (
          .clk(clk),
          .operands(rows),
          .result(sum)
      );
      netfold_delay #(
          .WIDTH (OUT_BITS),
          .STAGES(3 - TREE)
      ) u_align (
          .clk(clk),
          .rst(1'b0),
          .d  (sum),
          .q  (p)
      );
      wire unused = &{1'b0, last_carry};
    end
  endgenerate
endmodule
