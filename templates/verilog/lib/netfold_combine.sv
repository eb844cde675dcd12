// One step of a reduction: sum or maximum of what was found and a new element; `first` starts anew. Combinational.
module netfold_combine #(
    parameter int BITS   = 8,  // of the new element
    parameter bit SIGNED = 1,
    parameter bit MAX    = 0,
    parameter int OUT    = 12  // of the result; with MAX equal to BITS
) (
    input  wire            first,
    input  wire [ OUT-1:0] old,
    input  wire [BITS-1:0] x,
    output wire [ OUT-1:0] result
);
  wire [OUT-1:0] wide;
  generate
    if (OUT > BITS) begin : g_extend
      assign wide = {{(OUT - BITS) {SIGNED && x[BITS-1]}}, x};
    end else begin : g_keep
      assign wide = x[OUT-1:0];
      wire unused = &{1'b0, x, SIGNED};
    end
    if (MAX) begin : g_max
      wire larger = SIGNED ? $signed(wide) > $signed(old) : wide > old;
      assign result = first || larger ? wide : old;
    end else begin : g_sum
      assign result = (first ? '0 : old) + wide;
    end
  endgenerate
endmodule
