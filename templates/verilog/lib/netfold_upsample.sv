// Nearest-neighbour upsampling of WIDTH pixels a row of CHUNKS beats: every pixel is repeated FACTOR_W times and every row
// FACTOR_H times. Beats are kept in a line memory until their last repetition. Latency: 1.
module netfold_upsample #(
    parameter int WIDTH     = 4,
    parameter int CHUNKS    = 1,
    parameter int FACTOR_H  = 2,
    parameter int FACTOR_W  = 2,
    parameter int BEAT_BITS = 8,
    parameter bit BLOCK     = 0
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 in_valid,
    output wire                 in_take,
    input  wire [BEAT_BITS-1:0] in_data,
    input  wire                 out_space,
    output wire                 out_reserve,
    output wire                 out_put,
    output wire [BEAT_BITS-1:0] out_data
);
  // The line memory holds a row, or a pixel when rows are not repeated.
  localparam int WORDS = (FACTOR_H > 1 ? WIDTH : 1) * CHUNKS;
  localparam int AW = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam int CW = CHUNKS > 1 ? $clog2(CHUNKS) : 1;
  localparam int RW = FACTOR_W > 1 ? $clog2(FACTOR_W) : 1;
  localparam int XW = WIDTH > 1 ? $clog2(WIDTH) : 1;
  localparam int DW = FACTOR_H > 1 ? $clog2(FACTOR_H) : 1;
  wire [CW-1:0] chunk;
  wire [RW-1:0] right;
  wire [XW-1:0] x;
  wire [DW-1:0] down;
  wire first_chunk, last_chunk, first_right, last_right, first_x, last_x, first_down, last_down;
  wire fresh = first_right && first_down;
  wire fire = (in_valid || !fresh) && out_space;
  wire end_pixel = fire && last_chunk;
  wire end_repeat = end_pixel && last_right;
  wire end_row = end_repeat && last_x;
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
      .N(FACTOR_W)
  ) u_right (
      .clk(clk),
      .rst(rst),
      .step(end_pixel),
      .value(right),
      .first(first_right),
      .last(last_right)
  );
  netfold_counter #(
      .N(WIDTH)
  ) u_x (
      .clk(clk),
      .rst(rst),
      .step(end_repeat),
      .value(x),
      .first(first_x),
      .last(last_x)
  );
  netfold_counter #(
      .N(FACTOR_H)
  ) u_down (
      .clk(clk),
      .rst(rst),
      .step(end_row),
      .value(down),
      .first(first_down),
      .last(last_down)
  );
  assign in_take = fire && fresh;
  assign out_reserve = fire;
  reg put;
  always @(posedge clk) put <= fire && !rst;
  assign out_put = put;

  generate
    if (WORDS == 1) begin : g_hold
      reg [BEAT_BITS-1:0] pixel;
      always @(posedge clk) if (in_take) pixel <= in_data;
      assign out_data = pixel;
      wire unused_block = BLOCK;
    end else begin : g_memory
      // Address of the current beat, and of its pixel's first beat.
      reg [AW-1:0] at, pixel_at;
      always @(posedge clk) begin
        if (rst) begin
          at <= '0;
          pixel_at <= '0;
        end else if (fire) begin
          if (!last_chunk) begin
            at <= at + 1'b1;
          end else if (!last_right) begin
            at <= pixel_at;
          end else if (last_x || FACTOR_H == 1) begin
            at <= '0;
            pixel_at <= '0;
          end else begin
            at <= at + 1'b1;
            pixel_at <= at + 1'b1;
          end
        end
      end
      reg fresh_late;
      reg [BEAT_BITS-1:0] beat;
      wire [BEAT_BITS-1:0] kept;
      always @(posedge clk) begin
        fresh_late <= fresh;
        beat <= in_data;
      end
      netfold_ram #(
          .WIDTH(BEAT_BITS),
          .DEPTH(WORDS),
          .BLOCK(BLOCK)
      ) u_line (
          .clk(clk),
          .we(in_take),
          .waddr(at),
          .wdata(in_data),
          .re(1'b1),
          .raddr(at),
          .rdata(kept)
      );
      assign out_data = fresh_late ? beat : kept;
    end
  endgenerate
  wire unused = &{1'b0, chunk, first_chunk, right, x, first_x, down, last_down};
endmodule
