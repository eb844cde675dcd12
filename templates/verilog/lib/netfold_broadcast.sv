// Control of a unit that joins every vector of BEATS beats of one stream with one scalar of another, which is taken with the
// first beat and kept. LATENCY counts from the firing; x and s are registered and belong together in the cycle after it.
module netfold_broadcast #(
    parameter int BEATS   = 4,
    parameter int X_WIDTH = 16,
    parameter int S_WIDTH = 8,
    parameter int LATENCY = 2
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               x_valid,
    output wire               x_take,
    input  wire [X_WIDTH-1:0] x_data,
    input  wire               s_valid,
    output wire               s_take,
    input  wire [S_WIDTH-1:0] s_data,
    input  wire               out_space,
    output wire               out_reserve,
    output wire               out_put,
    output reg  [X_WIDTH-1:0] x,
    output reg  [S_WIDTH-1:0] s
);
  localparam int BW = BEATS > 1 ? $clog2(BEATS) : 1;
  wire [BW-1:0] beat;
  wire first, last;
  wire fire = x_valid && (s_valid || !first) && out_space;
  netfold_counter #(
      .N(BEATS)
  ) u_beat (
      .clk(clk),
      .rst(rst),
      .step(fire),
      .value(beat),
      .first(first),
      .last(last)
  );
  assign x_take = fire;
  assign s_take = fire && first;
  assign out_reserve = fire;
  netfold_delay #(
      .STAGES(LATENCY),
      .RESET (1)
  ) u_put (
      .clk(clk),
      .rst(rst),
      .d  (fire),
      .q  (out_put)
  );
  always @(posedge clk) begin
    x <= x_data;
    if (s_take) s <= s_data;
  end
  wire unused = &{1'b0, beat, last};
endmodule
