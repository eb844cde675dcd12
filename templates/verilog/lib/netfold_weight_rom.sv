// Weights in logic, read in order, over and over: `data` is word 0 after reset and the following word in the cycle after `next`.
// The lookup tables stay a module of their own: mixed with a unit's adders they are taken for paths with time to spare, which
// mapping spreads over several times as many. Nothing is left out inside of them, so columns that are constant or repeat another
// one are for the caller to leave out. As in netfold_sequence_rom the address has a register of its own.
module netfold_weight_rom #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,  // at least 2
    parameter bit FROM_FILE = 0,
    parameter FILE = "",
    parameter int INIT_BITS = 1,
    parameter [INIT_BITS-1:0] INIT = '0
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             next,
    output wire [WIDTH-1:0] data
);
  localparam int AW = $clog2(DEPTH);
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

  (* keep_hierarchy = "yes" *)
  netfold_rom #(
      .WIDTH(WIDTH),
      .DEPTH(DEPTH),
      .REGISTERED(0),
      .FROM_FILE(FROM_FILE),
      .FILE(FILE),
      .INIT_BITS(INIT_BITS),
      .INIT(INIT)
  ) u_rom (
      .clk (clk),
      .en  (1'b0),
      .addr(current),
      .data(data)
  );
endmodule
