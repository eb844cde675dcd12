// Second half of an affine activation: y = clip(round(sum / 2^SHIFT)).
// Rounds toward minus infinity, or half to even. Saturates to [LO, HI], or wraps to WRAP_BITS bits.
// Latency: 1, with HALF_EVEN 2.
module netfold_round_clip #(
    parameter int SUM_BITS = 20,  // signed, more than SHIFT
    parameter int SHIFT = 4,
    parameter bit HALF_EVEN = 0,
    parameter bit WRAP = 0,
    parameter int WRAP_BITS = 8,
    parameter bit WRAP_SIGNED = 1,
    parameter int OUT_BITS = 8,
    // Bits of the rounded value, more than OUT_BITS; the bounds have as many.
    parameter int V_BITS = 17,
    parameter bit CLIP_LO = 1,
    parameter bit CLIP_HI = 1,
    parameter signed [V_BITS-1:0] LO = '0,
    parameter signed [V_BITS-1:0] HI = '0
) (
    input  wire                       clk,
    input  wire signed [SUM_BITS-1:0] sum,
    output reg         [OUT_BITS-1:0] y
);
  localparam int FB = SUM_BITS - SHIFT;
  wire [FB-1:0] below = sum[SUM_BITS-1:SHIFT];
  wire signed [V_BITS-1:0] v;
  generate
    if (FB >= V_BITS) begin : g_keep
      wire [V_BITS-1:0] kept;
      assign kept = below[V_BITS-1:0];
      wire unused = &{1'b0, below};
      if (HALF_EVEN && SHIFT > 0) begin : g_half_even
        wire rest;
        if (SHIFT > 1) begin : g_rest
          assign rest = |sum[(SHIFT>1?SHIFT-2 : 0):0];
        end else begin : g_none
          assign rest = 1'b0;
        end
        reg signed [V_BITS-1:0] rounded;
        always @(posedge clk) rounded <= $signed(kept) + V_BITS'(sum[SHIFT>0?SHIFT-1 : 0] && (rest || below[0]));
        assign v = rounded;
      end else begin : g_floor
        assign v = $signed(kept);
      end
    end else begin : g_extend
      wire [V_BITS-1:0] kept = {{(V_BITS - FB) {below[FB-1]}}, below};
      if (HALF_EVEN && SHIFT > 0) begin : g_half_even
        wire rest;
        if (SHIFT > 1) begin : g_rest
          assign rest = |sum[(SHIFT>1?SHIFT-2 : 0):0];
        end else begin : g_none
          assign rest = 1'b0;
        end
        reg signed [V_BITS-1:0] rounded;
        always @(posedge clk) rounded <= $signed(kept) + V_BITS'(sum[SHIFT>0?SHIFT-1 : 0] && (rest || below[0]));
        assign v = rounded;
      end else begin : g_floor
        assign v = $signed(kept);
      end
    end
    if (WRAP) begin : g_wrap
      if (WRAP_BITS < OUT_BITS) begin : g_extend
        always @(posedge clk)
          y <= {{(OUT_BITS - WRAP_BITS) {WRAP_SIGNED && v[WRAP_BITS-1]}}, v[WRAP_BITS-1:0]};
      end else begin : g_exact
        always @(posedge clk) y <= v[OUT_BITS-1:0];
      end
    end else begin : g_saturate
      wire under = CLIP_LO && v < LO;
      wire over = CLIP_HI && v > HI;
      always @(posedge clk) y <= under ? LO[OUT_BITS-1:0] : over ? HI[OUT_BITS-1:0] : v[OUT_BITS-1:0];
    end
  endgenerate
  wire unused_low = &{1'b0, sum, v, LO, HI, CLIP_LO, CLIP_HI, WRAP_SIGNED};
endmodule
