// First half of an affine activation with factors that change: sum = x * mul + add. All operands are signed.
// Latency: 3 (operand registers, product, sum); one product is one DSP block. With UNIT=1 sum = x + add and latency 1.
module netfold_mul_add #(
    parameter bit UNIT     = 0,
    parameter int X_BITS   = 16,
    parameter int MUL_BITS = 16,
    parameter int ADD_BITS = 16,
    parameter int SUM_BITS = 33
) (
    input  wire                       clk,
    input  wire signed [  X_BITS-1:0] x,
    input  wire signed [MUL_BITS-1:0] mul,
    input  wire signed [ADD_BITS-1:0] add,
    output reg signed  [SUM_BITS-1:0] sum
);
  generate
    if (UNIT) begin : g_unit
      always @(posedge clk) sum <= SUM_BITS'(x) + SUM_BITS'(add);
      wire unused = &{1'b0, mul};
    end else begin : g_product
      reg signed [X_BITS-1:0] x_reg;
      reg signed [MUL_BITS-1:0] mul_reg;
      reg signed [ADD_BITS-1:0] add_reg, add_late;
      (* use_dsp = "yes" *) reg signed [X_BITS+MUL_BITS-1:0] product;
      always @(posedge clk) begin
        x_reg    <= x;
        mul_reg  <= mul;
        add_reg  <= add;
        product  <= x_reg * mul_reg;
        add_late <= add_reg;
        sum      <= SUM_BITS'(product) + SUM_BITS'(add_late);
      end
      wire unused = &{1'b0, product};
    end
  endgenerate
endmodule
