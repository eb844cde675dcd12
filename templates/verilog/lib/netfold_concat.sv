// Concatenation: PARTS[i*32 +: 32] beats of each of INPUTS streams in turn. Latency: 0.
module netfold_concat #(
    parameter int INPUTS = 2,
    parameter int WIDTH = 8,
    parameter int LARGEST = 2,  // largest of the parts
    parameter [INPUTS*32-1:0] PARTS = {INPUTS{32'd1}}
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire [      INPUTS-1:0] in_valid,
    output wire [      INPUTS-1:0] in_take,
    input  wire [INPUTS*WIDTH-1:0] in_data,
    input  wire                    out_space,
    output wire                    out_reserve,
    output wire                    out_put,
    output reg  [       WIDTH-1:0] out_data
);
  localparam int W = LARGEST > 1 ? $clog2(LARGEST) : 1;
  // One bit marks the stream whose turn it is.
  reg [INPUTS-1:0] turn;
  reg [W-1:0] beat;
  wire [INPUTS-1:0] ends;
  wire fire = |(turn & in_valid) && out_space;
  generate
    for (genvar i = 0; i < INPUTS; i = i + 1) begin : g_input
      localparam int PART = PARTS[i*32+:32];
      assign ends[i] = beat == W'(PART - 1);
    end
    if (INPUTS == 1) begin : g_one
      always @(posedge clk) if (rst) turn <= 1'b1;
    end else begin : g_turn
      always @(posedge clk) begin
        if (rst) turn <= INPUTS'(1);
        else if (fire && |(turn & ends)) turn <= {turn[INPUTS-2:0], turn[INPUTS-1]};
      end
    end
  endgenerate
  always @(posedge clk) begin
    if (rst) beat <= '0;
    else if (fire) beat <= |(turn & ends) ? '0 : beat + 1'b1;
  end
  assign in_take = turn & {INPUTS{fire}};
  assign out_reserve = fire;
  assign out_put = fire;
  always_comb begin
    out_data = '0;
    for (int i = 0; i < INPUTS; i = i + 1) if (turn[i]) out_data = out_data | in_data[i*WIDTH+:WIDTH];
  end
endmodule
