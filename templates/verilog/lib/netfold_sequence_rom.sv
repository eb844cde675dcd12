// Read-only memory read in order, over and over: `data` is word 0 after reset and the following word in the cycle after `next`.
// The word after the one that is read is counted ahead, so that no cycle is lost: block memory has its own output register,
// memory in logic an address register. Read straight from a counter's carry chain, memory in logic would take several times the
// lookup tables.
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

  generate
    if (BLOCK) begin : g_ahead
      wire [AW-1:0] position;
      wire unused_first, unused_last;
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
      wire [AW-1:0] address;
      if (DEPTH == 1) begin : g_constant
        assign address = '0;
        wire unused = &{1'b0, rst, next};
      end else begin : g_count
        reg [AW-1:0] ahead, current;
        wire wrap;
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
        if (DEPTH == 1 << AW) begin : g_natural
          assign wrap = 1'b0;
        end else begin : g_wrap
          reg at_last;
          always @(posedge clk) begin
            if (rst) at_last <= 1'b0;
            else if (next) at_last <= ahead == AW'(DEPTH - 2);
          end
          assign wrap = at_last;
        end
      end
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
          .addr(address),
          .data(data)
      );
    end
  endgenerate
endmodule
