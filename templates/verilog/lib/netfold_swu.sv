// Sliding-window unit: a delay line in raster order with a tap for every element of the window.
//
// A step shifts the line by one beat (a group of LANES channels of a pixel): the beat that is taken or, when the frame is
// complete and no beat is there, nothing in particular. From the beat FILL on, the window moves one beat a step; where it
// stands on a multiple of the strides it gives a beat of all taps [row][column][lane]. Taps outside of the image give `pad`.
// Latency 0.
//
// SEGMENTS parts of the line lie between taps of different distance to the newest beat; part i delays by
// LENGTHS[i*32 +: 32] steps. Tap i is the end of part TAPS[i*32 +: 32] (0: the newest beat, k: the end of part k - 1).
module netfold_swu #(
    parameter int HEIGHT = 8,
    parameter int WIDTH = 8,
    parameter int CHUNKS = 1,  // beats a pixel
    parameter int BEAT_BITS = 8,
    parameter int KERNEL_H = 3,
    parameter int KERNEL_W = 3,
    parameter int STRIDE_H = 1,
    parameter int STRIDE_W = 1,
    parameter int DILATION_H = 1,
    parameter int DILATION_W = 1,
    parameter int PAD_TOP = 0,
    parameter int PAD_LEFT = 0,
    parameter int OUT_H = 6,
    parameter int OUT_W = 6,
    parameter int FILL = 18,
    parameter int MEMORY = 0,  // see netfold_line
    parameter int SEGMENTS = 8,
    parameter [(SEGMENTS+1)*32-1:0] LENGTHS = '0,
    parameter [KERNEL_H*KERNEL_W*32-1:0] TAPS = '0
) (
    input  wire                                   clk,
    input  wire                                   rst,
    input  wire                                   in_valid,
    output wire                                   in_take,
    input  wire [                  BEAT_BITS-1:0] in_data,
    input  wire                                   out_space,
    output wire                                   out_reserve,
    output wire                                   out_put,
    output wire [KERNEL_H*KERNEL_W*BEAT_BITS-1:0] out_data,
    // Beat of padding of the window's channels, and the step to that of the next channels.
    input  wire [                  BEAT_BITS-1:0] pad,
    output wire                                   pad_next
);
  localparam int FIRINGS = HEIGHT * WIDTH * CHUNKS;
  localparam int FW = FIRINGS > 1 ? $clog2(FIRINGS) : 1;
  localparam int CW = CHUNKS > 1 ? $clog2(CHUNKS) : 1;
  localparam int XW = WIDTH > 1 ? $clog2(WIDTH) : 1;
  localparam int YW = HEIGHT > 1 ? $clog2(HEIGHT) : 1;

  // Beats of the frame taken; the window moves; its position.
  wire [FW-1:0] taken;
  wire at_zero, at_end;
  wire at_fill = taken == FW'(FILL);
  reg active;
  wire [CW-1:0] chunk;
  wire first_chunk, last_chunk;
  reg [XW-1:0] x;
  reg [YW-1:0] y;
  wire emit_x, emit_y;

  wire moves = active || at_fill;
  wire gives = moves && emit_x && emit_y;
  wire step = (in_valid || (at_zero && active)) && (out_space || !gives);
  assign in_take = step && in_valid;
  assign out_reserve = step && gives;
  assign out_put = out_reserve;
  wire forward = step && moves;
  assign pad_next = forward;

  netfold_counter #(
      .N(FIRINGS)
  ) u_taken (
      .clk(clk),
      .rst(rst),
      .step(in_take),
      .value(taken),
      .first(at_zero),
      .last(at_end)
  );
  netfold_counter #(
      .N(CHUNKS)
  ) u_chunk (
      .clk(clk),
      .rst(rst),
      .step(forward),
      .value(chunk),
      .first(first_chunk),
      .last(last_chunk)
  );

  // The window's pixel, and whether it lies on the grid of strides and inside of the output.
  wire end_x = x == XW'(WIDTH - 1);
  wire end_window = x == XW'((OUT_W - 1) * STRIDE_W) && y == YW'((OUT_H - 1) * STRIDE_H) && last_chunk;
  wire grid_x, grid_y;
  netfold_grid #(
      .STRIDE(STRIDE_W),
      .COUNT (OUT_W)
  ) u_grid_x (
      .clk(clk),
      .rst(rst || (forward && last_chunk && (end_x || end_window))),
      .step(forward && last_chunk),
      .on(grid_x)
  );
  netfold_grid #(
      .STRIDE(STRIDE_H),
      .COUNT (OUT_H)
  ) u_grid_y (
      .clk(clk),
      .rst(rst || (forward && end_window)),
      .step(forward && last_chunk && end_x),
      .on(grid_y)
  );
  assign emit_x = grid_x;
  assign emit_y = grid_y;
  always @(posedge clk) begin
    if (rst) begin
      active <= 1'b0;
      x <= '0;
      y <= '0;
    end else if (forward) begin
      active <= !end_window;
      if (end_window) begin
        x <= '0;
        y <= '0;
      end else if (last_chunk) begin
        x <= end_x ? '0 : x + 1'b1;
        if (end_x) y <= y + 1'b1;
      end
    end
  end

  // The delay line: part i of the chain starts at chain[i] and ends at chain[i + 1].
  wire [(SEGMENTS+1)*BEAT_BITS-1:0] chain;
  assign chain[BEAT_BITS-1:0] = in_data;
  generate
    for (genvar i = 0; i < SEGMENTS; i = i + 1) begin : g_segment
      netfold_line #(
          .WIDTH (BEAT_BITS),
          .LENGTH(LENGTHS[i*32+:32]),
          .MEMORY(MEMORY)
      ) u_line (
          .clk(clk),
          .rst(rst),
          .step(step),
          .d(chain[i*BEAT_BITS+:BEAT_BITS]),
          .q(chain[(i+1)*BEAT_BITS+:BEAT_BITS])
      );
    end
    for (genvar r = 0; r < KERNEL_H; r = r + 1) begin : g_row
      localparam int DOWN = r * DILATION_H - PAD_TOP;  // of the tap from the window's pixel
      wire row_inside;
      if (DOWN >= HEIGHT || -DOWN >= HEIGHT) begin : g_outside
        assign row_inside = 1'b0;
      end else if (DOWN < 0) begin : g_above
        assign row_inside = y >= YW'(-DOWN);
      end else if (DOWN > 0) begin : g_below
        assign row_inside = y < YW'(HEIGHT - DOWN);
      end else begin : g_level
        assign row_inside = 1'b1;
      end
      for (genvar c = 0; c < KERNEL_W; c = c + 1) begin : g_column
        localparam int RIGHT = c * DILATION_W - PAD_LEFT;
        localparam int TAP = r * KERNEL_W + c;
        wire column_inside;
        if (RIGHT >= WIDTH || -RIGHT >= WIDTH) begin : g_outside
          assign column_inside = 1'b0;
        end else if (RIGHT < 0) begin : g_before
          assign column_inside = x >= XW'(-RIGHT);
        end else if (RIGHT > 0) begin : g_after
          assign column_inside = x < XW'(WIDTH - RIGHT);
        end else begin : g_level
          assign column_inside = 1'b1;
        end
        assign out_data[TAP*BEAT_BITS+:BEAT_BITS] =
            row_inside && column_inside ? chain[TAPS[TAP*32+:32]*BEAT_BITS+:BEAT_BITS] : pad;
      end
    end
  endgenerate
  wire unused = &{1'b0, at_end, chunk, first_chunk};
endmodule
