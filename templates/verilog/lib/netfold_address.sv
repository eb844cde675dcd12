// Address of a memory that is read in order, over and over: 0 after reset and the following one in the cycle after `next`. The address has
// a register of its own, counted ahead: read straight from a counter's carry chain, memory in logic takes several times the lookup
// tables.
module netfold_address #(
    parameter int DEPTH = 16,  // at least 2
    localparam int AW = $clog2(DEPTH)
) (
    input  wire          clk,
    input  wire          rst,
    input  wire          next,
    output wire [AW-1:0] address
);
  reg [AW-1:0] ahead, current;
  wire wrap = DEPTH != 1 << AW && ahead == AW'(DEPTH - 1);
  always @(posedge clk) begin
    if (rst) begin
      ahead   <= AW'(1);
      current <= '0;
    end else if (next) begin
      ahead   <= wrap ? '0 : ahead + 1'b1;
      current <= ahead;
    end
  end
  assign address = current;
endmodule
