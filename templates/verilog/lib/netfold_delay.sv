// Delays data by STAGES cycles; RESET clears the stages.
module netfold_delay #(
    parameter int WIDTH  = 1,
    parameter int STAGES = 1,
    parameter bit RESET  = 0
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [WIDTH-1:0] d,
    output wire [WIDTH-1:0] q
);
  generate
    if (STAGES == 0) begin : g_wire
      assign q = d;
      wire unused = &{1'b0, clk, rst, RESET};
    end else begin : g_stages
      wire [(STAGES+1)*WIDTH-1:0] chain;
      assign chain[WIDTH-1:0] = d;
      for (genvar i = 0; i < STAGES; i = i + 1) begin : g_stage
        reg [WIDTH-1:0] stage;
        always @(posedge clk)
          if (RESET && rst) stage <= '0;
          else stage <= chain[i*WIDTH+:WIDTH];
        assign chain[(i+1)*WIDTH+:WIDTH] = stage;
      end
      assign q = chain[STAGES*WIDTH+:WIDTH];
      wire unused = rst;
    end
  endgenerate
endmodule
