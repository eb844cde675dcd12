// Whether a position in 0..SIZE-1 is one of the COUNT positions from BEGIN on.
module netfold_range #(
    parameter int BITS  = 4,
    parameter int BEGIN = 1,
    parameter int COUNT = 8,
    parameter int SIZE  = 10
) (
    input  wire [BITS-1:0] position,
    output wire            covered
);
  wire reached, before_end;
  generate
    if (BEGIN > 0) begin : g_begin
      assign reached = position >= BITS'(BEGIN);
    end else begin : g_always
      assign reached = 1'b1;
    end
    if (BEGIN + COUNT < SIZE) begin : g_end
      assign before_end = position < BITS'(BEGIN + COUNT);
    end else begin : g_open
      assign before_end = 1'b1;
    end
  endgenerate
  assign covered = reached && before_end;
  wire unused = &{1'b0, position};
endmodule
