// Whether the position that `step` moves, from 0 after `rst`, is one of the COUNT first multiples of STRIDE.
module netfold_grid #(
    parameter int STRIDE = 2,
    parameter int COUNT  = 4
) (
    input  wire clk,
    input  wire rst,
    input  wire step,
    output reg  on
);
  localparam int W = COUNT > 1 ? $clog2(COUNT) : 1;
  localparam int PW = STRIDE > 1 ? $clog2(STRIDE) : 1;
  wire [W-1:0] index;
  wire [PW-1:0] phase;
  wire first_phase, last_phase, first_index, last_index;
  reg done;

  netfold_counter #(
      .N(STRIDE)
  ) u_phase (
      .clk(clk),
      .rst(rst),
      .step(step),
      .value(phase),
      .first(first_phase),
      .last(last_phase)
  );
  netfold_counter #(
      .N(COUNT)
  ) u_index (
      .clk(clk),
      .rst(rst),
      .step(step && on),
      .value(index),
      .first(first_index),
      .last(last_index)
  );
  always @(posedge clk) begin
    if (rst) begin
      on   <= 1'b1;
      done <= 1'b0;
    end else if (step) begin
      on <= last_phase && !done && !(on && last_index);
      if (on && last_index) done <= 1'b1;
    end
  end
  wire unused = &{1'b0, index, phase, first_phase, first_index};
endmodule
