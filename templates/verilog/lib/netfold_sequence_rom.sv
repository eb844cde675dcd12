// Read-only memory read in order, over and over: `data` is word 0 after reset and the following word in the cycle after `next`.
// Block memory reads one word ahead, so that no cycle is lost.
module netfold_sequence_rom #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    parameter bit BLOCK = 0,
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
  localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
  wire [AW-1:0] position;
  wire unused_first, unused_last;

  generate
    if (BLOCK) begin : g_ahead
      // Reset keeps the position at 0 for several cycles, in which word 0 is read.
      reg rst_late;
      always @(posedge clk) rst_late <= rst;
      netfold_counter #(
          .N(DEPTH)
      ) u_position (
          .clk(clk),
          .rst(rst),
          .step(next || rst_late),
          .value(position),
          .first(unused_first),
          .last(unused_last)
      );
      netfold_rom #(
          .WIDTH(WIDTH),
          .DEPTH(DEPTH),
          .BLOCK(1),
          .FROM_FILE(FROM_FILE),
          .FILE(FILE),
          .INIT_BITS(INIT_BITS),
          .INIT(INIT)
      ) u_rom (
          .clk (clk),
          .en  (next || rst_late),
          .addr(position),
          .data(data)
      );
    end else begin : g_direct
      netfold_counter #(
          .N(DEPTH)
      ) u_position (
          .clk(clk),
          .rst(rst),
          .step(next),
          .value(position),
          .first(unused_first),
          .last(unused_last)
      );
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
          .addr(position),
          .data(data)
      );
    end
  endgenerate
endmodule
