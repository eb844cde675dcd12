// Reduces the TAPS elements of every lane ([tap][lane]). Latency: tree(TAPS).
module netfold_window_reduce #(
    parameter int TAPS     = 4,
    parameter int LANES    = 2,
    parameter int BITS     = 8,
    parameter bit SIGNED   = 1,
    parameter bit MAX      = 1,
    parameter int OUT_BITS = 8
) (
    input  wire                       clk,
    input  wire [TAPS*LANES*BITS-1:0] d,
    output wire [ LANES*OUT_BITS-1:0] q
);
  generate
    for (genvar l = 0; l < LANES; l = l + 1) begin : g_lane
      wire [TAPS*BITS-1:0] taps;
      for (genvar t = 0; t < TAPS; t = t + 1) begin : g_tap
        assign taps[t*BITS+:BITS] = d[(t*LANES+l)*BITS+:BITS];
      end
      netfold_reduce_tree #(
          .N(TAPS),
          .BITS(BITS),
          .SIGNED(SIGNED),
          .MAX(MAX),
          .OUT_BITS(OUT_BITS)
      ) u_tree (
          .clk(clk),
          .operands(taps),
          .result(q[l*OUT_BITS+:OUT_BITS])
      );
    end
  endgenerate
endmodule
