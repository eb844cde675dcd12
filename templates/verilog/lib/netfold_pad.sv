// Surrounds an image of HEIGHT x WIDTH pixels of CHUNKS beats with constant pixels. `pad` is the beat of the current chunk;
// `pad_next` asks for that of the next one. Latency: 0.
module netfold_pad #(
    parameter int HEIGHT    = 4,
    parameter int WIDTH     = 4,
    parameter int CHUNKS    = 1,
    parameter int TOP       = 1,
    parameter int LEFT      = 1,
    parameter int BOTTOM    = 1,
    parameter int RIGHT     = 1,
    parameter int BEAT_BITS = 8
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 in_valid,
    output wire                 in_take,
    input  wire [BEAT_BITS-1:0] in_data,
    input  wire                 out_space,
    output wire                 out_reserve,
    output wire                 out_put,
    output wire [BEAT_BITS-1:0] out_data,
    input  wire [BEAT_BITS-1:0] pad,
    output wire                 pad_next
);
  localparam int FULL_H = HEIGHT + TOP + BOTTOM;
  localparam int FULL_W = WIDTH + LEFT + RIGHT;
  localparam int CW = CHUNKS > 1 ? $clog2(CHUNKS) : 1;
  localparam int XW = FULL_W > 1 ? $clog2(FULL_W) : 1;
  localparam int YW = FULL_H > 1 ? $clog2(FULL_H) : 1;
  wire [CW-1:0] chunk;
  wire [XW-1:0] x;
  wire [YW-1:0] y;
  wire first_chunk, last_chunk, first_x, last_x, first_y, last_y;
  wire inside_x, inside_y;
  wire in_image = inside_x && inside_y;
  // The first beat of a frame is taken, and kept, with the first padding beat: no frame starts without its input.
  wire start, first_inside;
  wire taking = start || (in_image && !first_inside);
  wire fire = (in_valid || !taking) && out_space;
  reg [BEAT_BITS-1:0] kept;
  generate
    if (TOP > 0 || LEFT > 0) begin : g_keep
      assign start = first_chunk && first_x && first_y;
      assign first_inside = first_chunk && x == XW'(LEFT) && y == YW'(TOP);
      always @(posedge clk) if (fire && start) kept <= in_data;
    end else begin : g_direct
      assign start = 1'b0;
      assign first_inside = 1'b0;
      always @(posedge clk) kept <= '0;
    end
  endgenerate
  netfold_counter #(
      .N(CHUNKS)
  ) u_chunk (
      .clk(clk),
      .rst(rst),
      .step(fire),
      .value(chunk),
      .first(first_chunk),
      .last(last_chunk)
  );
  netfold_counter #(
      .N(FULL_W)
  ) u_x (
      .clk(clk),
      .rst(rst),
      .step(fire && last_chunk),
      .value(x),
      .first(first_x),
      .last(last_x)
  );
  netfold_counter #(
      .N(FULL_H)
  ) u_y (
      .clk(clk),
      .rst(rst),
      .step(fire && last_chunk && last_x),
      .value(y),
      .first(first_y),
      .last(last_y)
  );
  netfold_range #(
      .BITS (XW),
      .BEGIN(LEFT),
      .COUNT(WIDTH),
      .SIZE (FULL_W)
  ) u_inside_x (
      .position(x),
      .covered (inside_x)
  );
  netfold_range #(
      .BITS (YW),
      .BEGIN(TOP),
      .COUNT(HEIGHT),
      .SIZE (FULL_H)
  ) u_inside_y (
      .position(y),
      .covered (inside_y)
  );
  assign in_take = fire && taking;
  assign out_reserve = fire;
  assign out_put = fire;
  assign out_data = first_inside ? kept : in_image ? in_data : pad;
  assign pad_next = fire;
  wire unused = &{1'b0, chunk, first_chunk, first_x, first_y, last_y};
endmodule
