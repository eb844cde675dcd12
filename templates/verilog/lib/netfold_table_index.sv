// Address of a lookup table: x - FIRST limited to 0..N-1, and whether x lies above the table. Latency: 1.
module netfold_table_index #(
    parameter int BITS = 8,                     // of x, signed, one more than needed for x - FIRST to be exact
    parameter int N = 256,
    parameter signed [BITS-1:0] FIRST = '0,
    localparam int AW = N > 1 ? $clog2(N) : 1
) (
    input  wire            clk,
    input  wire [BITS-1:0] x,
    output reg  [  AW-1:0] index,
    output reg             above
);
  localparam int WB = BITS > AW + 2 ? BITS : AW + 2;
  wire signed [WB-1:0] offset = WB'($signed(x)) - WB'(FIRST);
  wire under = offset[WB-1];
  wire over = offset > WB'(N - 1);
  always @(posedge clk) begin
    index <= under ? '0 : over ? AW'(N - 1) : offset[AW-1:0];
    above <= over;
  end
endmodule
