// Changes the width of elements: sign- or zero-extends, or keeps the low bits of values known to fit.
module netfold_cast #(
    parameter int LANES       = 1,
    parameter int FROM_BITS   = 8,
    parameter bit FROM_SIGNED = 1,
    parameter int TO_BITS     = 10
) (
    input  wire [LANES*FROM_BITS-1:0] d,
    output wire [  LANES*TO_BITS-1:0] q
);
  generate
    for (genvar i = 0; i < LANES; i = i + 1) begin : g_lane
      wire [FROM_BITS-1:0] element = d[i*FROM_BITS+:FROM_BITS];
      if (TO_BITS > FROM_BITS) begin : g_extend
        assign q[i*TO_BITS+:TO_BITS] = {{(TO_BITS - FROM_BITS) {FROM_SIGNED && element[FROM_BITS-1]}}, element};
      end else begin : g_keep
        assign q[i*TO_BITS+:TO_BITS] = element[TO_BITS-1:0];
        wire unused = &{1'b0, element, FROM_SIGNED};
      end
    end
  endgenerate
endmodule
