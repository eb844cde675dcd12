// y = base + (up ? 1 : -1) * |{k : x >= threshold k}| with N comparators. x and the thresholds are signed, of equal width.
// Latency: 2 (comparisons; count).
module netfold_thresholds #(
    parameter int N        = 3,
    parameter int BITS     = 8,
    parameter int OUT_BITS = 2
) (
    input  wire                clk,
    input  wire [    BITS-1:0] x,
    input  wire [  N*BITS-1:0] thresholds,
    input  wire [OUT_BITS-1:0] base,
    input  wire                up,
    output reg  [OUT_BITS-1:0] y
);
  reg [N-1:0] reached;
  reg [OUT_BITS-1:0] base_reg;
  reg up_reg;
  reg [OUT_BITS-1:0] count;
  always_comb begin
    count = '0;
    for (int k = 0; k < N; k = k + 1) count = count + OUT_BITS'(reached[k]);
  end
  always @(posedge clk) begin
    for (int k = 0; k < N; k = k + 1) reached[k] <= $signed(x) >= $signed(thresholds[k*BITS+:BITS]);
    base_reg <= base;
    up_reg   <= up;
    y        <= up_reg ? base_reg + count : base_reg - count;
  end
endmodule
