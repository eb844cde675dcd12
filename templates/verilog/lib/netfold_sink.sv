// Top-level output: the head of a FIFO as AXI4-Stream, with tlast on the last of BEATS beats of a frame and tdata padded with
// zeros to whole bytes.
module netfold_sink #(
    parameter int WIDTH = 8,
    parameter int BEATS = 1,
    localparam int BYTES_BITS = (WIDTH + 7) / 8 * 8
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  in_valid,
    output wire                  in_take,
    input  wire [     WIDTH-1:0] in_data,
    output wire [BYTES_BITS-1:0] tdata,
    output wire                  tvalid,
    input  wire                  tready,
    output wire                  tlast
);
  localparam int W = BEATS > 1 ? $clog2(BEATS) : 1;
  wire [W-1:0] beat;
  wire first;
  netfold_counter #(
      .N(BEATS)
  ) u_beat (
      .clk(clk),
      .rst(rst),
      .step(in_take),
      .value(beat),
      .first(first),
      .last(tlast)
  );
  assign in_take = in_valid && tready;
  assign tvalid  = in_valid;
  generate
    if (BYTES_BITS == WIDTH) begin : g_exact
      assign tdata = in_data;
    end else begin : g_pad
      assign tdata = {{(BYTES_BITS - WIDTH) {1'b0}}, in_data};
    end
  endgenerate
  wire unused = &{1'b0, beat, first};
endmodule
