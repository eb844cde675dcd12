// Keeps INNER beats for each of the indices START + k * STEP, k < COUNT, of SIZE, round by round, and drops the others.
// Latency: 0.
module netfold_select #(
    parameter int SIZE  = 8,
    parameter int INNER = 1,
    parameter int START = 0,
    parameter int COUNT = 4,
    parameter int STEP  = 2
) (
    input  wire clk,
    input  wire rst,
    input  wire in_valid,
    output wire in_take,
    input  wire out_space,
    output wire out_reserve,
    output wire out_put
);
  localparam int NW = INNER > 1 ? $clog2(INNER) : 1;
  localparam int SW = SIZE > 1 ? $clog2(SIZE) : 1;
  wire [NW-1:0] beat;
  wire first_beat, last_beat;
  wire [SW-1:0] index;
  wire first_index, last_index;
  // Next index that is kept, in a number that can pass the last one.
  reg [SW:0] wanted;
  localparam [SW:0] END = (SW + 1)'(START + COUNT * STEP);
  localparam [SW:0] NONE = '1;
  wire kept = {1'b0, index} == wanted;
  wire fire = in_valid && (out_space || !kept);
  netfold_counter #(
      .N(INNER)
  ) u_beat (
      .clk(clk),
      .rst(rst),
      .step(fire),
      .value(beat),
      .first(first_beat),
      .last(last_beat)
  );
  netfold_counter #(
      .N(SIZE)
  ) u_index (
      .clk(clk),
      .rst(rst),
      .step(fire && last_beat),
      .value(index),
      .first(first_index),
      .last(last_index)
  );
  wire [SW:0] following = wanted + (SW + 1)'(STEP);
  always @(posedge clk) begin
    if (rst || (fire && last_beat && last_index)) wanted <= (SW + 1)'(START);
    else if (fire && last_beat && kept) wanted <= following == END ? NONE : following;
  end
  assign in_take = fire;
  assign out_reserve = fire && kept;
  assign out_put = out_reserve;
  wire unused = &{1'b0, beat, first_beat, first_index};
endmodule
